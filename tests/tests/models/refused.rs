//! Breaks that need the person: a sentence says which, and the same command goes on afterwards.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread::sleep;
use std::time::Duration;

use super::hub::{Hub, Reply, Request, model};
use super::{Home, SHARD};

/// A hub whose files of weights always break: it fails with these words, and goes on.
fn refused(words: &str, trouble: impl Fn(&Request, &mut Reply) + Send + Sync + 'static) {
    let weights = move |request: &Request, reply: &mut Reply| {
        if request.is_weights() {
            trouble(request, reply);
        }
    };
    let (hub, home) = (Hub::start(model(SHARD), weights), Home::new());
    let said = home.get(&hub);
    home.assert_refused(&hub, &said, words);
}

#[test]
fn files_that_are_refused() {
    refused("has terms to agree to", |_, reply| reply.refuse(403));
}

#[test]
fn files_that_are_not_there() {
    refused("is not there", |_, reply| reply.refuse(404));
}

#[test]
fn ranges_that_are_not_there() {
    refused("is shorter than the hub's list says (416)", |_, reply| reply.refuse(416));
}

#[test]
fn files_of_another_length() {
    refused("has 1000 bytes there, and 300000 by the hub's list", |_, reply| {
        reply.set("content-range", "bytes 0-999/1000");
        reply.body.truncate(1000);
    });
}

#[test]
fn files_with_other_bytes() {
    refused("its hash differs", |_, reply| reply.body[5] ^= 1);
}

#[test]
fn files_that_change_all_the_time() {
    refused("changed on the hub", |request, reply| reply.set("etag", &format!("\"{}\"", request.before)));
}

#[test]
fn hubs_that_stay_broken() {
    refused("answered 503", |_, reply| reply.refuse(503));
}

#[test]
fn connections_that_are_always_cut() {
    refused("safetensors", |_, reply| reply.cut = Some(0));
}

#[test]
fn redirections_in_a_circle() {
    refused("too many redirects", |request, reply| reply.redirect(request.path.clone()));
}

#[test]
fn lists_that_are_always_cut_off() {
    let trouble = |request: &Request, reply: &mut Reply| {
        if request.path.contains("/tree/") {
            reply.body.truncate(40);
        }
    };
    let (hub, home) = (Hub::start(model(SHARD), trouble), Home::new());
    let said = home.get(&hub);
    home.assert_refused(&hub, &said, "gave an answer that cannot be read");
}

#[test]
fn what_has_come_before_an_error_is_not_fetched_again() {
    let trouble = |request: &Request, reply: &mut Reply| {
        if request.path.ends_with("model-2.safetensors")
            && request.range.is_some_and(|(first, _)| first >= 131_072)
        {
            // The others are through by then.
            sleep(Duration::from_millis(500));
            reply.refuse(403);
        }
    };
    let (hub, home) = (Hub::start(model(SHARD), trouble), Home::new());
    let said = home.get(&hub);
    assert!(!said.ok && home.unfinished().join("model-1.safetensors").exists(), "{said:?}");
    let list = home.command(hub.port, &["list", "--json"]).output().unwrap().stdout;
    assert!(String::from_utf8(list).unwrap().contains("\"state\":\"partly\""));
    let well = Hub::sound(model(SHARD));
    assert!(home.get(&well).ok);
    home.assert_right(&well);
    let again = well.requests();
    assert!(!again.iter().any(|request| request.path.contains("/api/")), "the commit was settled: {again:?}");
    assert!(!again.iter().any(|request| request.path.ends_with("model-1.safetensors")), "{again:?}");
    assert!(again.iter().all(|request| request.range.is_none_or(|(first, _)| first >= 131_072)), "{again:?}");
}

#[test]
fn disks_that_are_full() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    // A list of files and no file: every write fails from here on.
    let refusing = Hub::start(model(SHARD), |request, reply| {
        if !request.path.contains("/api/") {
            reply.refuse(403);
        }
    });
    assert!(!home.get(&refusing).ok);
    let file = home.unfinished().join("model-1.safetensors");
    let (part, journal) =
        (file.with_extension("safetensors.part"), file.with_extension("safetensors.journal"));
    symlink("/dev/full", &part).unwrap();
    fs::write(&journal, r#"{"pieces":{"size":300000,"each":300000,"done":[0]},"etag":null}"#).unwrap();
    let said = home.get(&hub);
    assert!(!said.ok && said.err.contains("make room there, and go on with the same command"), "{said:?}");
    fs::remove_file(&part).unwrap();
    home.assert_goes_on(&hub);
}

#[test]
fn disks_that_are_too_small() {
    let huge = |request: &Request, reply: &mut Reply| {
        if request.path.contains("/tree/") {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            reply.body = text.replace("300000", "1000000000000000").into_bytes();
        }
    };
    let (hub, home) = (Hub::start(model(SHARD), huge), Home::new());
    let said = home.get(&hub);
    assert!(!said.ok && said.err.contains("needs 2000000.0 GB more in"), "{said:?}");
    assert!(!hub.requests().iter().any(|request| request.path.contains("/resolve/")));
}

#[test]
fn files_that_would_lie_elsewhere() {
    let evil = |request: &Request, reply: &mut Reply| {
        if request.path.contains("/tree/") {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            reply.body = text.replace("merges.txt", "up\\\\x.json").into_bytes();
        }
    };
    let (hub, home) = (Hub::start(model(SHARD), evil), Home::new());
    let said = home.get(&hub);
    home.assert_refused(&hub, &said, "would not lie in the model's folder");
}

#[test]
fn licences_that_were_not_accepted() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    let said = super::end(home.command(hub.port, &["get", "captioner"]).spawn().unwrap());
    assert!(!said.ok && said.err.contains("Apache-2.0") && said.err.contains("--accept-licence"), "{said:?}");
    assert!(hub.requests().is_empty());
    assert!(home.get(&hub).ok);
    // It was kept: now it is not asked.
    fs::remove_dir_all(home.model()).unwrap();
    let said = super::end(home.command(hub.port, &["get", "captioner"]).spawn().unwrap());
    assert!(said.ok, "{said:?}");
}
