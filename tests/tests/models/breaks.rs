//! Breaks that are overcome without the person.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::hub::{Hub, Reply, Request, model};
use super::{Home, SHARD};

/// A hub that is well in the end: the model must be right after one command.
fn overcome(trouble: impl Fn(&Request, &mut Reply) + Send + Sync + 'static) -> Hub {
    let (hub, home) = (Hub::start(model(SHARD), trouble), Home::new());
    let said = home.get(&hub);
    assert!(said.ok, "{said:?}");
    home.assert_right(&hub);
    assert!(said.out.contains("is here: "), "{said:?}");
    hub
}

#[test]
fn a_hub_that_is_well_gives_each_byte_once() {
    let hub = overcome(|_, _| {});
    let asked = hub
        .requests()
        .iter()
        .filter_map(|request| request.range.filter(|_| request.is_weights()))
        .fold(0, |sum, (first, last)| sum + last + 1 - first);
    assert_eq!(asked, 2 * SHARD);
    assert!(!hub.requests().iter().any(|request| request.path.ends_with("png")));
}

#[test]
fn connections_cut_in_the_middle_go_on_where_they_were_cut() {
    let hub = overcome(|request, reply| {
        if request.is_weights() && request.before % 2 == 0 {
            reply.cut = Some(reply.body.len() / 2);
        }
    });
    let starts_inside = |request: &Request| request.range.is_some_and(|(first, _)| first % 65_536 != 0);
    assert!(hub.requests().iter().any(starts_inside));
}

#[test]
fn a_connection_on_which_nothing_comes_is_given_up() {
    overcome(|request, reply| {
        if request.is_weights() && request.before == 1 {
            reply.stall = Duration::from_secs(20);
        }
    });
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says() {
    let hub = overcome(|request, reply| {
        if request.is_weights() && request.before < 2 {
            reply.refuse(429);
            reply.set("retry-after", "1");
        }
    });
    assert_eq!(hub.requests().iter().filter(|request| request.is_weights()).count(), 10 + 2);
}

#[test]
fn a_hub_with_faults_is_asked_again() {
    overcome(|request, reply| {
        if request.is_weights() && request.before < 2 {
            reply.refuse(500);
        }
    });
}

#[test]
fn a_file_that_changes_between_pieces_is_begun_anew() {
    let hub = overcome(|request, reply| {
        if request.path.ends_with("model-1.safetensors") && request.before == 0 {
            reply.set("etag", "\"old\"");
        }
    });
    assert!(hub.requests().iter().filter(|request| request.is_weights()).count() > 10);
}

#[test]
fn bytes_that_came_wrong_once_are_fetched_again() {
    overcome(|request, reply| {
        if request.is_weights() && request.before == 3 {
            reply.body[17] ^= 1;
        }
    });
}

#[test]
fn a_hub_without_ranges_gives_whole_files() {
    let hub = overcome(|request, reply| {
        if request.is_weights() {
            reply.status = 200;
            reply.headers.clear();
            reply.body = model(SHARD).into_iter().find(|(name, _)| request.path.ends_with(name)).unwrap().1;
        }
    });
    assert!(hub.requests().iter().any(|request| request.is_weights() && request.range.is_none()));
}

#[test]
fn a_whole_file_that_is_cut_is_fetched_as_a_whole_again() {
    overcome(|request, reply| {
        if request.is_weights() {
            reply.status = 200;
            reply.headers.clear();
            reply.body = model(SHARD).into_iter().find(|(name, _)| request.path.ends_with(name)).unwrap().1;
            reply.cut = (request.range.is_none() && request.before % 3 == 0).then_some(1000);
        }
    });
}

#[test]
fn a_list_that_is_cut_off_is_asked_for_again() {
    let cut = AtomicBool::new(false);
    overcome(move |request, reply| {
        if request.path.contains("/tree/") && !cut.swap(true, Ordering::Relaxed) {
            reply.body.truncate(40);
        }
    });
}

#[test]
fn more_bytes_than_asked_for_do_no_harm() {
    overcome(|request, reply| {
        if request.is_weights() {
            reply.body.extend_from_slice(b"more");
        }
    });
}
