//! A stream of server-sent events about one request, <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::pin;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;

use super::events::EventView;
use super::view::Presenter;
use crate::core::clock::Timestamp;
use crate::http::Gateway;
use crate::http::held::Place;
use crate::queue::{Following, News};

/// How often a comment keeps the connection alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What one client is told, and how far that is.
pub(super) struct Feed {
    gateway: Data<Gateway>,
    presenter: Presenter,
    following: Following,
    /// What is to be told first.
    news: Option<News>,
    /// The token's end is the stream's.
    expires_at: Timestamp,
    /// Its place among those that are held; without one it ends after the first news.
    place: Option<Place>,
    is_over: bool,
}

impl Feed {
    /// One that begins with `news`.
    pub(super) fn new(
        gateway: Data<Gateway>,
        presenter: Presenter,
        following: Following,
        news: News,
        expires_at: Timestamp,
    ) -> Self {
        let place = Place::take(&gateway);
        Self { gateway, presenter, following, news: Some(news), expires_at, place, is_over: false }
    }

    /// The stream.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, async |mut feed| {
            let bytes = feed.next().await?;
            Some((Ok(bytes), feed))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(news) = self.news.take() {
            // Who finds no place comes back later, and not at once.
            let retry = if self.place.is_some() { "" } else { "retry: 10000\n\n" };
            return Some(format!("{retry}{}", self.tell(&news)?).into());
        }
        if self.is_over || self.place.is_none() {
            return None;
        }
        match self.hear().await? {
            Some(news) => self.tell(&news).map(Bytes::from),
            None => Some(Bytes::from_static(b":\n\n")),
        }
    }

    /// What happens next, or nothing for a while; none when the stream is to end.
    async fn hear(&mut self) -> Option<Option<News>> {
        let gateway = self.gateway.clone();
        let (stop, expiry) = (pin!(gateway.begins_to_stop()), gateway.clock.sleep_until(self.expires_at));
        let news = pin!(gateway.queue.next_news(&mut self.following, HEARTBEAT));
        // The end is asked for first: what changes all the time must not outlast the token.
        match select(select(stop, expiry), news).await {
            Either::Left(_) => None,
            // When it was erased, or the store can not be read, who comes back is told.
            Either::Right((news, _)) => news.ok(),
        }
    }

    /// The news as text; the end comes with the whole request.
    fn tell(&mut self, news: &News) -> Option<String> {
        self.is_over = news.seen.view.status.is_terminal();
        let mut text = String::new();
        for (number, event) in news.events.iter().enumerate() {
            let mut shown = EventView::from(event);
            if self.is_over && number + 1 == news.events.len() {
                shown.request = Some(Box::new(self.presenter.view(&news.seen)));
            }
            let data = serde_json::to_string(&shown).ok()?;
            write!(text, "id: {}\nevent: change\ndata: {data}\n\n", event.version).ok()?;
        }
        Some(text)
    }
}
