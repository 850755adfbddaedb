//! Subscriptions: in order, bounded, and honest about what was lost.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fuseboard::listeners::{Broadcast, News, NewsStream, RecvError, Subscription, What};
use fuseboard::{Pin as Pinning, State};
use futures_core::Stream;

use super::{board, ends, fail, flap, payments};

fn generation(news: &News) -> u64 {
    match &news.what {
        What::Transition(transition) => transition.generation,
        What::WouldTrip(_) => 0,
    }
}

/// All that waits, losses included.
fn waiting(subscription: &mut Subscription) -> Vec<Result<u64, RecvError>> {
    let next = || match subscription.try_recv() {
        Ok(None) | Err(RecvError::Closed) => None,
        Ok(Some(news)) => Some(Ok(generation(&news))),
        Err(lagged) => Some(Err(lagged)),
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn every_subscriber_hears_all_in_order_from_when_it_subscribed() {
    let broadcast = Broadcast::new(64).unwrap();
    let (board, _) = board(Arc::new(broadcast.clone()));
    let breaker = payments(&board);
    flap(&breaker, 2);
    let mut first = broadcast.subscribe();
    flap(&breaker, 2);
    let mut second = broadcast.subscribe();
    flap(&breaker, 2);
    assert_eq!(waiting(&mut first), [Ok(3), Ok(4), Ok(5), Ok(6)]);
    assert_eq!(waiting(&mut second), [Ok(5), Ok(6)]);
    assert_eq!(first.try_recv(), Ok(None));
}

#[test]
fn news_say_which_circuit_and_what_happened() {
    let broadcast = Broadcast::new(64).unwrap();
    let (board, _) = board(Arc::new(broadcast.clone()));
    let breaker = payments(&board);
    let mut subscription = broadcast.subscribe();
    fail(&breaker, 3);
    let news = subscription.recv_blocking().unwrap();
    let What::Transition(transition) = &news.what else { panic!("{news:?}") };
    assert_eq!((&*news.circuit, transition.to), ("payments", State::Open));
    assert_eq!(transition.trip.as_ref().unwrap().why, "failures(3): 3 of 3 failed");
    breaker.metrics_only(Pinning::by("ops"));
    subscription.recv_blocking().unwrap();
    fail(&breaker, 3);
    let news = subscription.recv_blocking().unwrap();
    assert_eq!(*news, News::would_trip("payments", "failures(3): 3 of 3 failed"));
}

#[test]
fn a_subscriber_that_sleeps_delays_nobody_and_is_told_how_much_it_lost() {
    for (capacity, kept) in [(1, 1), (3, 4), (8, 8)] {
        let broadcast = Broadcast::new(capacity).unwrap();
        let (board, _) = board(Arc::new(broadcast.clone()));
        let breaker = payments(&board);
        let mut asleep = broadcast.subscribe();
        flap(&breaker, 20);
        assert_eq!(breaker.state(), State::Closed);
        let mut expected = vec![Err(RecvError::Lagged(20 - kept))];
        expected.extend((21 - kept..=20).map(Ok));
        assert_eq!(waiting(&mut asleep), expected, "capacity {capacity}");
    }
}

#[test]
fn there_is_an_end_when_the_last_breaker_is_gone() {
    let broadcast = Broadcast::new(64).unwrap();
    let mut subscription = broadcast.subscribe();
    let (board, _) = board(Arc::new(broadcast));
    flap(&payments(&board), 1);
    drop(board);
    assert_eq!(generation(&subscription.recv_blocking().unwrap()), 1, "first what is left");
    assert_eq!(subscription.recv_blocking(), Err(RecvError::Closed));
    assert_eq!(subscription.try_recv(), Err(RecvError::Closed));
}

#[test]
fn a_subscription_that_is_dropped_is_forgotten() {
    let broadcast = Broadcast::new(1).unwrap();
    let subscriptions = [broadcast.subscribe(), broadcast.subscribe()];
    assert_eq!(broadcast.subscribers(), 2);
    drop(subscriptions);
    assert_eq!(broadcast.subscribers(), 0);
}

#[test]
fn whoever_blocks_is_woken_by_a_transition_of_another_thread() {
    let broadcast = Broadcast::new(64).unwrap();
    let mut subscription = broadcast.subscribe();
    let (board, _) = board(Arc::new(broadcast));
    let breaker = payments(&board);
    ends("news for a thread that waits", move || {
        let transition = std::thread::spawn(move || flap(&breaker, 1));
        assert_eq!(generation(&subscription.recv_blocking().unwrap()), 1);
        transition.join().unwrap();
    });
}

#[tokio::test]
async fn a_task_that_waits_is_woken() {
    let broadcast = Broadcast::new(64).unwrap();
    let mut subscription = broadcast.subscribe();
    let (board, _) = board(Arc::new(broadcast));
    let breaker = payments(&board);
    let waits = tokio::spawn(async move { generation(&subscription.recv().await.unwrap()) });
    tokio::task::yield_now().await;
    flap(&breaker, 1);
    assert_eq!(waits.await.unwrap(), 1);
}

#[tokio::test]
async fn a_recv_that_is_dropped_loses_nothing() {
    let broadcast = Broadcast::new(64).unwrap();
    let mut subscription = broadcast.subscribe();
    let (board, _) = board(Arc::new(broadcast));
    let breaker = payments(&board);
    {
        let mut context = Context::from_waker(Waker::noop());
        let mut recv = pin!(subscription.recv());
        assert!(recv.as_mut().poll(&mut context).is_pending());
        flap(&breaker, 1);
    }
    assert_eq!(generation(&subscription.recv().await.unwrap()), 1);
}

async fn next(stream: &mut NewsStream) -> Option<Result<u64, RecvError>> {
    let item = std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await;
    item.map(|item| item.map(|news| generation(&news)))
}

#[tokio::test]
async fn a_stream_gives_news_and_losses_and_ends() {
    let broadcast = Broadcast::new(2).unwrap();
    let mut stream = broadcast.subscribe().into_stream();
    let (board, _) = board(Arc::new(broadcast));
    let breaker = payments(&board);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(Pin::new(&mut stream).poll_next(&mut context), Poll::Pending));
    flap(&breaker, 5);
    assert_eq!(next(&mut stream).await, Some(Err(RecvError::Lagged(3))));
    assert_eq!(next(&mut stream).await, Some(Ok(4)));
    drop((board, breaker));
    assert_eq!(next(&mut stream).await, Some(Ok(5)));
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(next(&mut stream).await, None, "and stays ended");
}

#[test]
fn a_ring_that_holds_nothing_or_too_much_is_refused() {
    for capacity in [0, (1 << 20) + 1] {
        let refused = Broadcast::new(capacity).unwrap_err().to_string();
        assert_eq!(refused, format!("capacity is {capacity}; it must be from 1 to 1048576"));
    }
}
