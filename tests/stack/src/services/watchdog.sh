# Reads what is to be cleared up, one entry a line, until the process that writes them is gone; then clears up.
trap '' HUP INT QUIT TERM PIPE

# Newest first, so that what was built up is taken down in reverse; removals last, when nobody writes any more.
list=
while IFS= read -r entry; do
    case $entry in
    forget\ *) list=$(printf '%s' "$list" | grep -vx -e "kill ${entry#* }" -e "quit ${entry#* }") ;;
    remove\ *) list="$list
$entry" ;;
    *) list="$entry
$list" ;;
    esac
done

# An ended process whose parent has not asked for its exit code still has its number; it counts as gone.
alive() {
    kill -0 "$1" 2>/dev/null || return 1
    read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" || return 0
    [ "$state" != Z ]
}

await_end() { # pid, tenths of a second
    tenths=$2
    while alive "$1" && [ "$tenths" -gt 0 ]; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
}

# A process and all below it, except other watchdogs: those see their own holder die, and have work to do then.
family() {
    grep -qF millrace-watchdog "/proc/$1/cmdline" 2>/dev/null && return
    echo "$1"
    for child in $(cat "/proc/$1"/task/*/children 2>/dev/null); do family "$child"; done
}

kill_family() {
    members=$(family "$1")
    kill -KILL -- "-$1" 2>/dev/null
    for member in $members; do kill -KILL "$member" 2>/dev/null; done
    await_end "$1" 50
}

# What carries our mark in its environment, wherever it went. Twice in a row none: none is being born either.
sweep() {
    passes=50
    clean=0
    while [ "$passes" -gt 0 ] && [ "$clean" -lt 2 ]; do
        clean=$((clean + 1))
        for found in $(grep -lF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
            pid=${found#/proc/}
            pid=${pid%/environ}
            if alive "$pid"; then
                kill -KILL "$pid" 2>/dev/null
                clean=0
            fi
        done
        passes=$((passes - 1))
        [ "$clean" -eq 2 ] || sleep 0.02
    done
}

remove() {
    passes=50
    while [ -e "$1" ] && [ "$passes" -gt 0 ]; do
        rm -rf -- "$1" 2>/dev/null || sleep 0.1
        passes=$((passes - 1))
    done
}

# The engine may be in the middle of making it, so it is asked until the container was there and is gone.
remove_container() {
    passes=10
    while [ "$passes" -gt 0 ]; do
        if docker container inspect "$1" >/dev/null 2>&1; then
            docker container rm --force --volumes "$1" >/dev/null 2>&1 && return
        fi
        sleep 0.3
        passes=$((passes - 1))
    done
}

# Its containers may still be leaving it.
remove_network() {
    passes=200
    while [ "$passes" -gt 0 ]; do
        docker network rm "$1" >/dev/null 2>&1 && return
        docker network inspect "$1" >/dev/null 2>&1 || passes=$((passes - 20))
        passes=$((passes - 1))
        sleep 0.3
    done
}

printf '%s\n' "$list" | while read -r verb what; do
    case $verb in
    quit) kill -QUIT "$what" 2>/dev/null && await_end "$what" 50 ;;
    kill) kill_family "$what" ;;
    wait) await_end "$what" 6000 ;;
    sweep) sweep "$what" ;;
    remove) remove "$what" ;;
    container) remove_container "$what" ;;
    network) remove_network "$what" ;;
    esac
done
