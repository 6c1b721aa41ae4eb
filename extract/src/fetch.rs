//! One page, however hard it is to get: asked for again, then in smaller pieces, and at last without
//! the one record that can not be read.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::client::Instance;
use crate::decode::{DecodeError, PageInfo, Reason, shown};
use crate::error::{Effort, ExtractError};
use crate::page::{PAGE_ROWS, check_list, with_word};
use crate::probe::{integer, member, records};
use crate::range::Step;
use crate::read::{Reader, Stop};
use crate::retry::{MOST_UNREADABLE, Retry, Trouble};

/// How many records a page is asked to hold: fewer after one that could not be read, and after each
/// good one twice as many again.
#[derive(Debug)]
pub(crate) struct PageSize {
    next: usize,
    asked: usize,
}

impl Default for PageSize {
    fn default() -> PageSize {
        PageSize {
            next: PAGE_ROWS,
            asked: PAGE_ROWS,
        }
    }
}

impl PageSize {
    /// Of the page read last.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    fn halve(&mut self) {
        self.next = (self.asked / 2).max(1);
    }

    fn grow(&mut self) {
        self.next = (self.asked * 2).min(PAGE_ROWS);
    }

    /// Tries before it is asked for less: at full size it may have been bad luck.
    fn tries(&self) -> u32 {
        match self.asked {
            PAGE_ROWS => MOST_UNREADABLE,
            1 => 2,
            _ => 1,
        }
    }
}

/// So many records in a row that can not be read are no misfits, but a broken source.
const MOST_UNREAD: u64 = 10;

/// A page that can not be read as it was asked for.
struct Unreadable {
    cause: DecodeError,
    effort: Effort,
    /// The body, should a record alone have to be shown.
    body: bytes::Bytes,
}

impl Reader {
    /// Fetches a page, decodes it, and keeps of it what `judge` says.
    ///
    /// An unreadable page is asked for again, then in halves; a record that can not be read alone is
    /// a misfit. If `judge` refuses the page, nothing of it is kept.
    pub(crate) async fn page<Refusal>(
        &self,
        query: &[(String, String)],
        size: &mut PageSize,
        judge: impl Fn(&PageInfo) -> Result<Step, Refusal>,
    ) -> Result<Result<Step, Refusal>, Stop> {
        loop {
            size.asked = size.next.min(self.plan().page_rows());
            let query = with_word(query, "limit", size.asked.to_string());
            let unreadable = match self.attempt(&query, size.tries(), &judge).await? {
                Ok(step) => {
                    size.grow();
                    self.unread.store(0, Ordering::Relaxed);
                    return Ok(step);
                }
                Err(unreadable) => unreadable,
            };
            // What is no list at all does not become one by being shorter.
            if matches!(unreadable.cause, DecodeError::NotRecords { .. }) {
                return Err(self.content_error(unreadable));
            }
            tracing::debug!(
                resource = self.resource.name,
                limit = size.asked,
                cause = %unreadable.cause,
                "page asked for in smaller pieces"
            );
            if size.asked == 1 {
                return self.set_aside(&query, unreadable, &judge).await;
            }
            size.halve();
        }
    }

    /// The page, asked for at most `tries` times if it arrives but can not be read.
    async fn attempt<Refusal>(
        &self,
        query: &[(String, String)],
        tries: u32,
        judge: &impl Fn(&PageInfo) -> Result<Step, Refusal>,
    ) -> Result<Result<Result<Step, Refusal>, Unreadable>, Stop> {
        let resource = &self.resource;
        let mut retry = Retry::new(&resource.name);
        loop {
            let before = retry.attempts();
            let got = self
                .instance
                .get(&mut retry, &resource.path, &resource.scope, query)
                .await;
            self.requests
                .fetch_add(u64::from(retry.attempts() - before), Ordering::Relaxed);
            let answer = match got {
                Ok(answer) => answer,
                // Too large already on its way.
                Err(ExtractError::Content {
                    cause: cause @ DecodeError::TooLarge { .. },
                    effort,
                    ..
                }) => {
                    return Ok(Err(Unreadable {
                        cause,
                        effort,
                        body: bytes::Bytes::new(),
                    }));
                }
                Err(error) => return Err(error.into()),
            };
            let mut decoder = self.decoder.lock().await;
            let page = check_list(&answer.body).and_then(|()| decoder.page(&answer.body));
            let cause = match page {
                Ok(page) => {
                    let step = judge(&page);
                    let keep = step.as_ref().map_or(0, |step| step.keep);
                    self.plan()
                        .learn_size(answer.body.len(), page.records.len());
                    self.count_early(&page, keep);
                    decoder.keep(keep);
                    return Ok(Ok(step));
                }
                Err(cause @ (DecodeError::Full | DecodeError::Batch(_))) => {
                    return Err(self.batch_error(cause));
                }
                Err(cause) => cause,
            };
            drop(decoder);
            let tries = match cause {
                DecodeError::TooLarge { .. } => 1,
                DecodeError::NotRecords { .. } => MOST_UNREADABLE,
                _ => tries,
            };
            if retry.unreadable() + 1 >= tries {
                return Ok(Err(Unreadable {
                    cause,
                    effort: retry.effort(),
                    body: answer.body,
                }));
            }
            self.instance
                .wait(&mut retry, Trouble::Content(cause))
                .await?;
        }
    }

    /// Makes a misfit of the one record that `query` asks for, under the id that the server gives
    /// when asked for nothing else.
    async fn set_aside<Refusal>(
        &self,
        query: &[(String, String)],
        unreadable: Unreadable,
        judge: &impl Fn(&PageInfo) -> Result<Step, Refusal>,
    ) -> Result<Result<Step, Refusal>, Stop> {
        if self.unread.fetch_add(1, Ordering::Relaxed) >= MOST_UNREAD {
            return Err(self.content_error(unreadable));
        }
        let mut retry = Retry::new(&self.resource.name);
        let record = only_key(&self.instance, &mut retry, &self.resource, query).await;
        self.requests
            .fetch_add(u64::from(retry.attempts()), Ordering::Relaxed);
        let record = match record {
            Ok((record, _)) => record,
            Err(ExtractError::Content { .. }) => return Err(self.content_error(unreadable)),
            Err(error) => return Err(error.into()),
        };
        let mut decoder = self.decoder.lock().await;
        let page = match record {
            None => decoder
                .page(b"[]")
                .map_err(|cause| self.batch_error(cause))?,
            Some(record) => {
                let reason = match unreadable.cause {
                    DecodeError::TooLarge { .. } => Reason::TooLarge,
                    DecodeError::NotUtf8 { .. } => Reason::Encoding,
                    _ => Reason::Syntax,
                };
                let id = member(&record, &self.resource.key).and_then(integer);
                let detail = format!("asked for alone: {}", unreadable.cause);
                decoder.set_aside(id, reason, detail, shown(&unreadable.body))
            }
        };
        let step = judge(&page);
        decoder.keep(step.as_ref().map_or(0, |step| step.keep));
        Ok(step)
    }

    fn content_error(&self, unreadable: Unreadable) -> Stop {
        Stop::from(ExtractError::Content {
            resource: self.resource.name.clone(),
            cause: unreadable.cause,
            effort: unreadable.effort,
        })
    }
}

/// A record by its key alone, if there is one, and the server's clock.
pub(crate) type Keyed = (Option<Map<String, Value>>, Option<DateTime<Utc>>);

/// The first record that `query` finds, asked for by its key alone.
pub(crate) async fn only_key(
    instance: &Instance,
    retry: &mut Retry,
    resource: &schemas::Resource,
    query: &[(String, String)],
) -> Result<Keyed, ExtractError> {
    let query = with_word(query, "limit", "1".to_owned());
    let query = with_word(&query, "fields", format!("[\"{}\"]", resource.key));
    loop {
        let answer = instance
            .get(retry, &resource.path, &resource.scope, &query)
            .await?;
        let records = check_list(&answer.body).and_then(|()| records(&answer.body));
        match records.map(|records| records.into_iter().next()) {
            Ok(None) => return Ok((None, answer.date)),
            Ok(Some(Value::Object(record))) => return Ok((Some(record), answer.date)),
            Ok(Some(_)) => return Ok((Some(Map::new()), answer.date)),
            Err(error) => instance.wait(retry, Trouble::Content(error)).await?,
        }
    }
}
