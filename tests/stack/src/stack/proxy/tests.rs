//! The proxy in front of an echo: what it lets through, what it holds, and what it breaks.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Directions, Proxy, Rule};

const SOON: Duration = Duration::from_secs(2);
const NOTHING_COMES: Duration = Duration::from_millis(150);

/// Echoes everything, and closes when the client does.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reads, mut writes) = client.split();
                let _ = tokio::io::copy(&mut reads, &mut writes).await;
            });
        }
    });
    address
}

async fn proxied() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.expect("a free port");
    let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
    say(&mut client, b"hello").await;
    assert_eq!(hear(&mut client, 5).await, b"hello");
    (proxy, client)
}

async fn say(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).await.expect("an open connection");
}

async fn hear(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut heard = vec![0; count];
    timeout(SOON, client.read_exact(&mut heard)).await.expect("in time").expect("an open connection");
    heard
}

async fn end_of(client: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut heard = Vec::new();
    let outcome = timeout(SOON, client.read_to_end(&mut heard)).await.expect("in time");
    (heard, outcome.err().map(|error| error.kind()))
}

#[tokio::test]
async fn a_reset_ends_open_connections_and_new_ones() {
    let (proxy, mut client) = proxied().await;
    proxy.set(Rule::Reset);
    assert_eq!(end_of(&mut client).await.1, Some(ErrorKind::ConnectionReset));
    let mut late = TcpStream::connect(proxy.address()).await.expect("the kernel accepts");
    assert_eq!(end_of(&mut late).await.1, Some(ErrorKind::ConnectionReset));
    proxy.set(Rule::Pass);
    let mut healed = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
    say(&mut healed, b"x").await;
    assert_eq!(hear(&mut healed, 1).await, b"x");
}

#[tokio::test]
async fn a_black_hole_holds_and_gives_back() {
    for directions in [Directions::ToServer, Directions::ToClient, Directions::Both] {
        let (proxy, mut client) = proxied().await;
        proxy.set(Rule::BlackHole(directions));
        say(&mut client, b"lost?").await;
        let mut byte = [0];
        assert!(timeout(NOTHING_COMES, client.read(&mut byte)).await.is_err(), "{directions:?}");
        proxy.set(Rule::Pass);
        assert_eq!(hear(&mut client, 5).await, b"lost?");
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_black_hole_is_noticed() {
    let (proxy, client) = proxied().await;
    proxy.set(Rule::BlackHole(Directions::Both));
    tokio::time::sleep(NOTHING_COMES).await;
    drop(client);
    let until = Instant::now() + SOON;
    let detections = loop {
        let detections = proxy.take_detections();
        if !detections.is_empty() || Instant::now() > until {
            break detections;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(detections.len(), 1);
    assert!(detections[0].established);
    assert!(detections[0].after >= NOTHING_COMES && detections[0].after < SOON, "{detections:?}");
}

#[tokio::test]
async fn a_delay_delays() {
    let (proxy, mut client) = proxied().await;
    proxy.set(Rule::Delay { by: Duration::from_millis(50), jitter: Duration::from_millis(20) });
    let started = Instant::now();
    say(&mut client, b"later").await;
    assert_eq!(hear(&mut client, 5).await, b"later");
    assert!(started.elapsed() >= Duration::from_millis(100), "there and back");
}

#[tokio::test]
async fn a_trickle_trickles_and_keeps_the_order() {
    let (proxy, mut client) = proxied().await;
    proxy.set(Rule::Trickle { bytes_per_second: 1000 });
    let words: Vec<u8> = (0..250).collect();
    let started = Instant::now();
    say(&mut client, &words).await;
    assert_eq!(hear(&mut client, words.len()).await, words);
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_cut_frame_arrives_by_half() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let proxy = Proxy::start(listener.local_addr().expect("bound")).await.expect("a free port");
    let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
    let (mut server, _) = listener.accept().await.expect("the proxy connects");
    proxy.set(Rule::CutFrame);
    say(&mut client, b"abcdefgh").await;
    assert_eq!(hear(&mut server, 4).await, b"abcd");
    assert_eq!(end_of(&mut server).await, (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert_eq!(end_of(&mut client).await.1, Some(ErrorKind::ConnectionReset));
    assert_eq!(proxy.take_cuts(), 1);
}

#[tokio::test]
async fn a_commit_gets_through_and_its_answer_does_not() {
    let (proxy, mut client) = proxied().await;
    proxy.set(Rule::CutCommit);
    say(&mut client, b"Q\0\0\0\x0dROLLBACK\0").await;
    assert_eq!(hear(&mut client, 14).await, b"Q\0\0\0\x0dROLLBACK\0");
    // The echo stands for the server: its answer shows that the request arrived.
    say(&mut client, b"Q\0\0\0\x0bCOMMIT\0").await;
    assert_eq!(end_of(&mut client).await, (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert_eq!(proxy.take_cuts(), 1);
}

#[tokio::test]
async fn a_server_that_vanishes_is_silent_for_good() {
    let (proxy, mut client) = proxied().await;
    proxy.set(Rule::VanishAfter(2));
    say(&mut client, b"Z\0\0\0\x05I").await;
    assert_eq!(hear(&mut client, 6).await, b"Z\0\0\0\x05I");
    assert_eq!(proxy.take_cuts(), 0);
    say(&mut client, b"Z\0\0\0\x05I").await;
    assert_eq!(hear(&mut client, 6).await, b"Z\0\0\0\x05I");
    proxy.set(Rule::Pass);
    say(&mut client, b"hello").await;
    let mut heard = [0];
    assert!(timeout(NOTHING_COMES, client.read(&mut heard)).await.is_err(), "nothing may come");
    assert_eq!(proxy.take_cuts(), 1);
}

/// A node that tells its name to everybody.
async fn node(name: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(&[name]).await.expect("the balancer reads");
            held.push(stream);
        }
    });
    address
}

async fn who_answers(balancer: &Proxy) -> u8 {
    let mut stream = TcpStream::connect(balancer.address()).await.expect("the balancer listens");
    stream.read_u8().await.expect("some node answers")
}

#[tokio::test]
async fn connections_go_round_and_pass_over_a_node_that_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = gone.local_addr().expect("it listens");
    drop(gone);
    let nodes = vec![node(1).await, address, node(3).await];
    let balancer = Proxy::balancing(nodes).await.expect("a free port");
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(who_answers(&balancer).await);
    }
    assert_eq!(answers, [1, 3, 3, 1, 3, 3]);
}

#[tokio::test]
async fn gathering_ends_connections_and_leads_new_ones_to_one_node() {
    let nodes = [node(1).await, node(2).await];
    let balancer = Proxy::balancing(nodes.to_vec()).await.expect("a free port");
    let mut early = TcpStream::connect(balancer.address()).await.expect("the balancer listens");
    assert_eq!(early.read_u8().await.expect("the first node answers"), 1);
    balancer.gather(nodes[0]);
    early.read_u8().await.expect_err("its connection is ended");
    assert_eq!([who_answers(&balancer).await, who_answers(&balancer).await], [1, 1]);
    balancer.spread();
    let answers = [who_answers(&balancer).await, who_answers(&balancer).await];
    assert!(answers.contains(&2), "{answers:?}");
}
