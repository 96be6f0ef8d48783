//! Builds anew when a migration is added: the macro that embeds them can't tell cargo so itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
