//! A queue between two stages that is bounded by bytes: what waits differs in size by orders of magnitude, so a
//! count of items would bound nothing.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Opens a queue that holds at most `most_bytes` (up to 4 GiB), each item counted as `bytes_of` says.
///
/// What the reader took last counts until it asks for the next. An item larger than the queue passes when
/// nothing else is there, so the largest one is the only thing that can exceed the bound.
///
/// # Panics
/// When `most_bytes` is 0.
pub fn queue<T>(most_bytes: usize, bytes_of: fn(&T) -> usize) -> (Sender<T>, Receiver<T>) {
    assert!(most_bytes > 0, "a queue has room");
    let most_bytes = u32::try_from(most_bytes).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(most_bytes as usize));
    // The room bounds the channel.
    let (items, queued) = mpsc::unbounded_channel();
    let sender = Sender {
        items,
        room: room.clone(),
        most_bytes,
        bytes_of,
    };
    let receiver = Receiver {
        queued,
        room,
        in_hand: None,
    };
    (sender, receiver)
}

type Queued<T> = (T, OwnedSemaphorePermit);

/// The end that items go into.
pub struct Sender<T> {
    items: UnboundedSender<Queued<T>>,
    room: Arc<Semaphore>,
    most_bytes: u32,
    bytes_of: fn(&T) -> usize,
}

/// The end that items come out of; when it is dropped, senders are told.
pub struct Receiver<T> {
    queued: UnboundedReceiver<Queued<T>>,
    room: Arc<Semaphore>,
    in_hand: Option<OwnedSemaphorePermit>,
}

/// Nobody reads the queue any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nobody reads the queue any more")
    }
}

impl std::error::Error for Closed {}

impl<T> Sender<T> {
    /// Waits until there is room for the item, first come, first served.
    pub async fn send(&self, item: T) -> Result<(), Closed> {
        let bytes = u32::try_from((self.bytes_of)(&item)).unwrap_or(u32::MAX);
        // An item of no bytes would let any number of them wait.
        let bytes = bytes.clamp(1, self.most_bytes);
        let permit = self.room.clone().acquire_many_owned(bytes).await;
        let permit = permit.map_err(|_| Closed)?;
        self.items.send((item, permit)).map_err(|_| Closed)
    }
}

impl<T> Receiver<T> {
    /// The next item; `None` when every sender is gone and nothing is left.
    pub async fn recv(&mut self) -> Option<T> {
        self.in_hand = None;
        let (item, permit) = self.queued.recv().await?;
        self.in_hand = Some(permit);
        Some(item)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Wakes who waits for room.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const MOST: usize = 1_000;

    /// An item that counts itself for as long as it lives.
    struct Item {
        bytes: usize,
        alive: Arc<AtomicUsize>,
    }

    impl Item {
        fn new(bytes: usize, alive: &Arc<AtomicUsize>) -> Item {
            alive.fetch_add(bytes, Ordering::Relaxed);
            Item {
                bytes,
                alive: alive.clone(),
            }
        }
    }

    impl Drop for Item {
        fn drop(&mut self) {
            self.alive.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }

    fn bytes_of(item: &Item) -> usize {
        item.bytes
    }

    /// Sizes from nothing to a third of the queue, and now and then one that is larger than the queue.
    fn size(turn: usize) -> usize {
        match turn % 17 {
            5 => MOST * 3,
            turn => (turn * 7_919) % (MOST / 3),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_holds_the_bytes_below_the_bound() {
        const SENDERS: usize = 3;
        const ITEMS: usize = 400;
        let alive = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = queue(MOST, bytes_of);
        let sender = Arc::new(sender);
        let mut tasks = tokio::task::JoinSet::new();
        for start in 0..SENDERS {
            let (sender, alive) = (sender.clone(), alive.clone());
            tasks.spawn(async move {
                for turn in start..start + ITEMS {
                    // What waits before the queue is its sender's own, one each.
                    let item = Item::new(size(turn), &alive);
                    sender.send(item).await.expect("somebody reads");
                }
            });
        }
        drop(sender);
        let (mut count, mut most, mut fullest) = (0, 0, 0);
        while let Some(item) = receiver.recv().await {
            // Long enough for the senders to bring all that they can.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let room = receiver.room.available_permits();
            let queued = alive.load(Ordering::Relaxed);
            let large = item.bytes > MOST;
            // The item in hand may be the one that is larger than all the room; then nothing waits behind it.
            assert!(!large || room == 0 && receiver.queued.is_empty(), "{room}");
            if !large {
                fullest = fullest.max(MOST - room);
                most = most.max(queued);
            }
            count += 1;
        }
        assert_eq!(count, SENDERS * ITEMS);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
        assert!((MOST * 2 / 3..=MOST).contains(&fullest), "{fullest}");
        // With what the senders hold themselves.
        assert!(most <= MOST + SENDERS * MOST * 3, "{most}");
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_is_noticed() {
        let alive = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = queue(MOST, bytes_of);
        sender
            .send(Item::new(MOST, &alive))
            .await
            .expect("there is room");
        let waiting = async {
            let sent = sender.send(Item::new(1, &alive)).await;
            assert_eq!(sent, Err(Closed));
        };
        let leaving = async {
            assert!(receiver.recv().await.is_some());
            tokio::task::yield_now().await;
            drop(receiver);
        };
        tokio::join!(waiting, leaving);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn items_come_out_in_order_and_the_end_is_seen() {
        let (sender, mut receiver) = queue(3, |_: &usize| 0);
        let sending = async move {
            for number in 0..10 {
                sender.send(number).await.expect("somebody reads");
            }
        };
        let reading = async {
            let mut got = Vec::new();
            while let Some(number) = receiver.recv().await {
                got.push(number);
            }
            assert_eq!(got, (0..10).collect::<Vec<_>>());
        };
        tokio::join!(sending, reading);
    }
}
