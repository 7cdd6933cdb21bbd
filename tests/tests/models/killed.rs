//! A program that is killed, and two at once.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::hub::{Hub, model, noise};
use super::{Home, SHARD, end};

#[test]
fn twenty_kills_at_random_points_leave_what_can_be_gone_on_with() {
    let hub = Hub::start(model(3_000_000), |_, reply| reply.pace = Some(4096));
    let home = Home::new();
    let mut killed = 0;
    for random in noise(7, 20) {
        let mut child = home.getting(hub.port).spawn().unwrap();
        sleep(Duration::from_millis(10 + u64::from(random)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        assert!(!end(child).err.contains("fault of the program"));
        if home.model().exists() {
            home.assert_right(&hub);
            std::fs::remove_dir_all(home.model()).unwrap();
        }
    }
    assert!(killed > 0, "the download is too fast for this test");
    home.assert_goes_on(&hub);
}

#[test]
fn a_break_from_the_keyboard_leaves_what_can_be_gone_on_with() {
    let hub = Hub::start(model(SHARD), |_, reply| reply.pace = Some(512));
    let home = Home::new();
    let child = home.getting(hub.port).spawn().unwrap();
    while !hub.requests().iter().any(super::hub::Request::is_weights) {
        sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(!end(child).ok && !home.model().exists());
    home.assert_goes_on(&hub);
}

#[test]
fn the_second_of_two_at_once_says_so() {
    let hub = Hub::start(model(SHARD), |_, reply| reply.pace = Some(2048));
    let home = Home::new();
    let first = home.getting(hub.port).spawn().unwrap();
    while hub.requests().is_empty() {
        sleep(Duration::from_millis(5));
    }
    let second = home.get(&hub);
    assert!(!second.ok && second.err.contains("another colloquy is working on"), "{second:?}");
    let removing = end(home.command(hub.port, &["remove", "captioner"]).spawn().unwrap());
    assert!(!removing.ok && removing.err.contains("another colloquy is working on"), "{removing:?}");
    let first = end(first);
    assert!(first.ok, "{first:?}");
    home.assert_right(&hub);
}
