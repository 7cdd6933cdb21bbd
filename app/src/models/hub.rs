//! Requests to a Hugging Face hub, or a mirror of one. The only place of the program that reaches a network.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::config::RedirectAuthHeaders;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::digest::Digest;
use super::fault::Fault;
use super::manifest::{Part, is_needed};

/// Where the hub is, unless `HF_ENDPOINT` says otherwise.
const ENDPOINT: &str = "https://huggingface.co";
/// Longest answer about a model.
const MOST_JSON: u64 = 16 << 20;
/// Most pages of a model's list of files.
const MOST_PAGES: usize = 50;
/// Longest time that a server may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A hub, and how it is reached.
#[derive(Clone, Debug)]
pub(super) struct Hub {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// A file's bytes on their way.
pub(super) struct Stream {
    /// The version that the server names.
    pub(super) etag: Option<String>,
    /// The bytes, from the wanted one on.
    pub(super) bytes: Box<dyn Read>,
}

impl Hub {
    /// As `HF_ENDPOINT`, `HF_TOKEN` and the variables of proxies say. A connection on which nothing comes for `stall` is given up.
    ///
    /// # Errors
    /// The endpoint is no address, or the system has no certificates to know it by.
    pub(super) fn from_environment(stall: Duration) -> Result<Hub> {
        let set =
            |name| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(anyhow!("HF_ENDPOINT is {endpoint:?}; expected an address such as {ENDPOINT}"));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(8)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .max_idle_connections_per_host(16)
            .user_agent(concat!("colloquy/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(stall))
            .timeout_connect(Some(stall))
            .timeout_send_request(Some(stall))
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall));
        // Also a plain address may lead to one with TLS.
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() && endpoint.starts_with("https://") {
            return Err(anyhow!(
                "this system has no certificates, so that {endpoint} cannot be known for what it is: install them \
                 (on Debian, the package ca-certificates), or name their file in SSL_CERT_FILE"
            ));
        }
        let certificates = found.certs.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
        config = config.tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(certificates)))
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .build(),
        );
        Ok(Hub { agent: config.build().into(), endpoint, token: set("HF_TOKEN") })
    }

    /// Ends what goes on, also in other threads, and all that is asked from now on.
    pub(super) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    /// The commit that `revision` (a branch, a tag or a commit) of `repo` names now.
    ///
    /// # Errors
    /// By what is to be done.
    pub(super) fn commit(&self, repo: &str, revision: &str) -> Result<String, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            sha: String,
        }
        let url = format!("{}/api/models/{repo}/revision/{revision}", self.endpoint);
        let (answer, _): (Answer, _) = self.json(repo, &url)?;
        if answer.sha.len() != 40 || !answer.sha.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Fault::Never(anyhow!("{url} names {:?}, which is no commit", answer.sha)));
        }
        Ok(answer.sha)
    }

    /// The files of `repo` at `commit` that a model needs.
    ///
    /// # Errors
    /// By what is to be done.
    pub(super) fn files(&self, repo: &str, commit: &str) -> Result<Vec<Part>, Fault> {
        #[derive(Deserialize)]
        struct Large {
            oid: String,
            size: u64,
        }
        #[derive(Deserialize)]
        struct Item {
            r#type: String,
            path: String,
            #[serde(default)]
            oid: String,
            #[serde(default)]
            size: u64,
            lfs: Option<Large>,
        }
        let mut url = format!("{}/api/models/{repo}/tree/{commit}?recursive=1", self.endpoint);
        let mut parts = Vec::new();
        for _ in 0..MOST_PAGES {
            let (items, next): (Vec<Item>, _) = self.json(repo, &url)?;
            for item in items.into_iter().filter(|item| item.r#type == "file" && is_needed(&item.path)) {
                let (size, digest) = match item.lfs {
                    Some(large) => (large.size, Digest::Sha256(large.oid)),
                    None => (item.size, Digest::Git(item.oid)),
                };
                let digest = digest.checked().with_context(|| format!("{url}: {}", item.path))?;
                parts.push(Part { path: item.path, size, digest });
            }
            match next {
                // Elsewhere the token would be shown to others.
                Some(next) if next.starts_with(&format!("{}/", self.endpoint)) => url = next,
                Some(next) => return Err(Fault::Never(anyhow!("{url} goes on at another place: {next}"))),
                None => return Ok(parts),
            }
        }
        Err(Fault::Never(anyhow!("{repo} has too many files for a model")))
    }

    /// Opens `part` of `repo` from byte `start` to the one before `end`. Without these, the whole of it.
    ///
    /// # Errors
    /// By what is to be done.
    pub(super) fn open(
        &self,
        repo: &str,
        commit: &str,
        part: &Part,
        range: Option<(u64, u64)>,
    ) -> Result<Stream, Fault> {
        let url = format!("{}/{repo}/resolve/{commit}/{}", self.endpoint, part.path);
        let response = self.get(repo, &url, range)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = header("etag").map(str::to_owned);
        let other_size = |size: u64| {
            let wanted = part.size;
            Fault::Anew(anyhow!("{} has {size} bytes there, and {wanted} by the hub's list", part.path))
        };
        match (response.status().as_u16(), range) {
            (206, Some((start, _))) => {
                let (from, size) = header("content-range").and_then(content_range).unwrap_or((start, None));
                if let Some(size) = size.filter(|size| *size != part.size) {
                    return Err(other_size(size));
                }
                if from != start {
                    return Err(Fault::Again(anyhow!("{url}: other bytes than those asked for"), None));
                }
            }
            (200, range) => {
                let length = header("content-length").and_then(|length| length.parse().ok());
                if let Some(length) = length.filter(|length| *length != part.size) {
                    return Err(other_size(length));
                }
                if range.is_some_and(|range| range != (0, part.size)) {
                    return Err(Fault::Whole);
                }
            }
            (status, _) => return Err(Fault::Again(anyhow!("{url} answered {status}"), None)),
        }
        Ok(Stream { etag, bytes: Box::new(response.into_body().into_reader()) })
    }

    /// An answer in JSON, and the address of its next page.
    fn json<T: DeserializeOwned>(&self, repo: &str, url: &str) -> Result<(T, Option<String>), Fault> {
        let response = self.get(repo, url, None)?;
        let next = response.headers().get("link").and_then(|link| next_page(link.to_str().ok()?));
        let text = response.into_body().into_with_config().limit(MOST_JSON).read_to_vec();
        let text = text.map_err(|error| failed(url, error))?;
        // What is cut off may be whole the next time.
        let answer = serde_json::from_slice(&text)
            .with_context(|| format!("{url} gave an answer that cannot be read"))
            .map_err(|error| Fault::Again(error, None))?;
        Ok((answer, next))
    }

    fn get(&self, repo: &str, url: &str, range: Option<(u64, u64)>) -> Result<Response<Body>, Fault> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some((start, end)) = range.filter(|(start, end)| start < end) {
            request = request.header("range", format!("bytes={start}-{}", end - 1));
        }
        let response = request.call().map_err(|error| failed(url, error))?;
        let page = format!("{}/{repo}", self.endpoint);
        let token = match self.token {
            Some(_) => "the token in HF_TOKEN does not suffice",
            None => "set HF_TOKEN to a token of yours",
        };
        let fault = match response.status().as_u16() {
            200 | 206 => return Ok(response),
            401 => Fault::Never(anyhow!("{url} asks who you are (401): {token}")),
            403 => Fault::Never(anyhow!(
                "{url} is refused (403): see whether {page} has terms to agree to; {token}"
            )),
            404 | 410 => {
                Fault::Never(anyhow!("{url} is not there; see {page}, and HF_ENDPOINT where that is set"))
            }
            416 => Fault::Anew(anyhow!("{url} is shorter than the hub's list says (416)")),
            status @ (408 | 425 | 429 | 500..) => {
                let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let after = after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
                Fault::Again(anyhow!("{url} answered {status}"), after.map(|after| after.min(LONGEST_WAIT)))
            }
            status => Fault::Never(anyhow!("{url} answered {status}")),
        };
        Err(fault)
    }
}

/// What an error of the client means.
fn failed(url: &str, error: ureq::Error) -> Fault {
    let never = matches!(
        error,
        ureq::Error::BadUri(_)
            | ureq::Error::TooManyRedirects
            | ureq::Error::RedirectFailed
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::BodyExceedsLimit(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::Tls(_)
    );
    let error = anyhow!(error).context(format!("{url} cannot be reached"));
    if never { Fault::Never(error) } else { Fault::Again(error, None) }
}

/// First byte and whole size of `bytes FIRST-LAST/SIZE`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, size.trim().parse().ok()))
}

/// The address in a `Link` header that is the next page.
fn next_page(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    Some(next.split_once('<')?.1.split_once('>')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_servers_write_them() {
        assert_eq!(content_range("bytes 10-19/300"), Some((10, Some(300))));
        assert_eq!(content_range("bytes 10-19/*"), Some((10, None)));
        assert_eq!(content_range("bytes */300"), None);
        let link = r#"<https://x/1>; rel="prev", <https://x/api?cursor=a>; rel="next""#;
        assert_eq!(next_page(link).as_deref(), Some("https://x/api?cursor=a"));
        assert_eq!(next_page(r#"<https://x/1>; rel="prev""#), None);
    }
}
