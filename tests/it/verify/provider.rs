//! Tokens of a real OpenID provider: accepted through discovery, and through a change of its keys under load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::verdict::Verdict;
use anteroom::verify::Chain;

use super::real_provider::{RealProvider, issued_at};
use super::subjects::{chain, verify, word};
use crate::patience::until;

const RS256: &str = "urn:api-prototype";
const ES256: &str = "urn:es256";

fn table(provider: &RealProvider) -> String {
    format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{}\"\naudience = [\"{RS256}\", \"{ES256}\"]\n\
         algorithms = [\"RS256\", \"ES256\"]\nscopes = {{ \"read:requests\" = \"requests:read\" }}\n",
        provider.issuer
    )
}

#[tokio::test]
async fn the_token_of_a_real_provider() {
    let provider = RealProvider::start();
    let token = provider.token(RS256, "read:requests write:requests").await;
    let now = issued_at(&token);
    let chain = chain(&table(&provider), Path::new("."), &SetClock::at(now)).unwrap();
    let verdict = async |token: &str, now| verify(&chain, token, chain.api(), now).await;

    let Verdict::Accepted(caller) = verdict(&token, now).await else { panic!("refused") };
    assert_eq!(caller.issuer, provider.issuer);
    assert_eq!((caller.subject.as_str(), caller.client_id.as_deref()), ("acme", Some("acme")));
    assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["requests:read"]);
    assert_eq!(caller.expires_at, now.plus_millis(3_600_000));

    let elsewhere = provider.token("urn:elsewhere", "read:requests").await;
    assert_eq!(word(&verdict(&elsewhere, now).await), "audience_mismatch");
    assert_eq!(word(&verdict(&token, now.plus_millis(3_605_000)).await), "token_expired");
}

/// Callers on threads of their own who use the good tokens of the moment all the time.
struct Load {
    good: Arc<Mutex<Vec<String>>>,
    accepted: Arc<AtomicUsize>,
    refused: Arc<Mutex<Vec<&'static str>>>,
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(chain: &Arc<Chain>, clock: &SetClock) -> Self {
        let (good, accepted, refused, over) =
            (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default(), Arc::default(), Arc::default());
        let call = |caller: usize| {
            let (chain, clock, good, accepted) =
                (Arc::clone(chain), clock.clone(), Arc::clone(&good), Arc::clone(&accepted));
            let (refused, over): (Arc<Mutex<Vec<&'static str>>>, Arc<AtomicBool>) =
                (Arc::clone(&refused), Arc::clone(&over));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for turn in caller.. {
                    let token = {
                        let good = good.lock().unwrap();
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        good.get(turn % good.len().max(1)).cloned()
                    };
                    let Some(token) = token else { continue };
                    match word(&runtime.block_on(verify(&chain, &token, chain.api(), clock.now()))) {
                        "accepted" => _ = accepted.fetch_add(1, Ordering::SeqCst),
                        // It may have been withdrawn between the look and the verdict.
                        reason if good.lock().unwrap().contains(&token) => refused.lock().unwrap().push(reason),
                        _ => {}
                    }
                }
            })
        };
        let callers = (0..4).map(call).collect();
        Self { good, accepted, refused, over, callers }
    }

    /// From now on these are the good tokens. Comes back when they have been accepted often.
    async fn uses(&self, tokens: &[&String]) {
        *self.good.lock().unwrap() = tokens.iter().map(|token| (*token).clone()).collect();
        let before = self.accepted.load(Ordering::SeqCst);
        until(|| self.accepted.load(Ordering::SeqCst) > before + 200).await;
    }

    /// Why good tokens were refused.
    async fn end(mut self) -> Vec<&'static str> {
        self.over.store(true, Ordering::SeqCst);
        until(|| self.callers.iter().all(JoinHandle::is_finished)).await;
        self.callers.drain(..).for_each(|caller| caller.join().unwrap());
        std::mem::take(&mut *self.refused.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn keys_change_under_load_and_no_good_token_is_refused() {
    for resource in [RS256, ES256] {
        let mut provider = RealProvider::start();
        let first = provider.token(resource, "read:requests").await;
        let clock = SetClock::at(issued_at(&first));
        let chain = Arc::new(chain(&table(&provider), Path::new("."), &clock).unwrap());
        chain.warm_up();
        let judge = async |token: &str| word(&verify(&chain, token, chain.api(), clock.now()).await);
        let load = Load::start(&chain, &clock);
        load.uses(&[&first]).await;

        // Gracefully: the new key signs from now on, and the old one is published for a while.
        provider.tell("rotate");
        let second = provider.token(resource, "read:requests").await;
        load.uses(&[&first, &second]).await;
        clock.advance(Duration::from_secs(30));
        provider.tell("retire");
        load.uses(&[&second]).await;
        assert_eq!(judge(&first).await, "accepted", "until the next good refresh");
        assert!(matches!(chain.refresh("idp").await, Ok(())));
        assert_eq!(judge(&first).await, "key_unknown", "withdrawn");

        // Hard: the old key is gone at once. Its tokens are refused from the fetch on that the first new token causes.
        clock.advance(Duration::from_secs(30));
        provider.tell("replace");
        let third = provider.token(resource, "read:requests").await;
        load.uses(&[&third]).await;
        assert_eq!(judge(&second).await, "key_unknown");
        assert_eq!(load.end().await, [""; 0], "{resource}");

        // The bound: right after a change another one is noticed 30 seconds later.
        provider.tell("replace");
        let fourth = provider.token(resource, "read:requests").await;
        assert_eq!(judge(&fourth).await, "key_unknown");
        clock.advance(Duration::from_secs(30));
        assert_eq!(judge(&fourth).await, "accepted");
        assert_eq!(provider.tell("count /jwks"), "6", "start, rotate, operator, withdrawn, replace, replace");
    }
}

/// A rotation that is announced is noticed by nobody.
#[tokio::test]
async fn a_key_that_was_announced_is_known_when_it_signs() {
    let mut provider = RealProvider::start();
    let first = provider.token(RS256, "read:requests").await;
    let clock = SetClock::at(issued_at(&first));
    let chain = chain(&table(&provider), Path::new("."), &clock).unwrap();
    let judge = async |token: &str| word(&verify(&chain, token, chain.api(), clock.now()).await);
    assert_eq!(judge(&first).await, "accepted");
    assert_eq!(provider.tell("announce"), "rsa-1 ec-1 rsa-2 ec-2");
    clock.advance(Duration::from_mins(9));
    until(|| chain.readiness()[0].keys.as_ref().unwrap().keys.len() == 4).await;
    assert_eq!(provider.tell("retire"), "rsa-2 ec-2");
    let second = provider.token(RS256, "read:requests").await;
    assert_eq!(judge(&second).await, "accepted");
    assert_eq!(provider.tell("count /jwks"), "2", "it took no fetch of its own");
}
