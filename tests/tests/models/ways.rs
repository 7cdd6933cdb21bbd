//! Ways to the hub: tokens, redirections to others, proxies.

use super::hub::{Hub, Reply, Request, model, proxy};
use super::{Home, SHARD, end};

#[test]
fn a_token_is_asked_for_and_shown_to_the_hub_alone() {
    let elsewhere = std::sync::Arc::new(Hub::sound(model(SHARD)));
    let port = elsewhere.port;
    let hub = Hub::start(model(SHARD), move |request: &Request, reply: &mut Reply| {
        if request.authorization.as_deref() != Some("Bearer secret") {
            reply.refuse(401);
        } else if request.is_weights() {
            reply.redirect(format!("http://localhost:{port}{}", request.path));
        }
    });
    let home = Home::new();
    let said = home.get(&hub);
    assert!(!said.ok && said.err.contains("set HF_TOKEN"), "{said:?}");
    let said = end(home.getting(hub.port).env("HF_TOKEN", "wrong").spawn().unwrap());
    assert!(!said.ok && said.err.contains("the token in HF_TOKEN does not suffice"), "{said:?}");
    let said = end(home.getting(hub.port).env("HF_TOKEN", "secret").spawn().unwrap());
    assert!(said.ok && !said.err.contains("secret"), "{said:?}");
    home.assert_right(&hub);
    let shown = elsewhere.requests();
    assert!(!shown.is_empty() && shown.iter().all(|request| request.authorization.is_none()), "{shown:?}");
}

#[test]
fn a_redirection_to_another_place_of_the_hub_is_followed() {
    let hub = Hub::start(model(SHARD), |request, reply| {
        if request.path.starts_with("/Qwen/") {
            reply.redirect(format!("/moved{}", request.path));
        }
    });
    let home = Home::new();
    let said = home.get(&hub);
    assert!(said.ok, "{said:?}");
    home.assert_right(&hub);
}

#[test]
fn a_proxy_is_used_unless_it_is_excepted() {
    let hub = Hub::sound(model(SHARD));
    let (port, asked) = proxy(hub.port);
    let home = Home::new();
    let address = format!("http://127.0.0.1:{port}");
    // Nothing listens where the endpoint says; only the proxy leads to the hub.
    let said = end(home.getting(1).env("HTTPS_PROXY", &address).spawn().unwrap());
    assert!(said.ok, "{said:?}");
    home.assert_right(&hub);
    assert!(asked.lock().unwrap().iter().all(|line| line.starts_with("CONNECT 127.0.0.1:1 ")));
    let used = asked.lock().unwrap().len();
    let home = Home::new();
    let mut command = home.getting(hub.port);
    let said = end(command.env("HTTPS_PROXY", &address).env("NO_PROXY", "127.0.0.1").spawn().unwrap());
    assert!(said.ok && used > 0, "{said:?}");
    assert_eq!(asked.lock().unwrap().len(), used);
}

#[test]
fn an_endpoint_that_is_no_address_is_named() {
    let home = Home::new();
    let said = end(home.getting(1).env("HF_ENDPOINT", "my mirror").spawn().unwrap());
    assert!(!said.ok && said.err.contains("HF_ENDPOINT is \"my mirror\""), "{said:?}");
}
