//! What an event did to the service, computed from when orders were confirmed and when they were handled.

use std::collections::HashMap;

use uuid::Uuid;

use crate::cluster::history::{Post, Seconds};
use crate::history::Answer;

/// What the time from one event to the next looked like.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// From the event to the first confirm of an order that was sent after it.
    pub first_confirmed: Option<Seconds>,
    /// The longest time without any confirm.
    pub longest_unconfirmed: Seconds,
    /// From the event to when the first order sent after it was handled.
    pub first_handled: Option<Seconds>,
    /// The longest time in which no order was handled.
    pub longest_unhandled: Seconds,
    /// The longest time that a confirmed order, sent from a little before the event on, waited until it was handled.
    pub longest_wait: Seconds,
    pub confirmed: usize,
    pub refused: usize,
    pub unknown: usize,
}

impl Measures {
    /// How long there was no service, for new orders; endless, if there was none at all.
    pub fn outage(&self) -> Seconds {
        let or_never = |time: Option<Seconds>| time.unwrap_or(Seconds::INFINITY);
        let first = or_never(self.first_confirmed).max(or_never(self.first_handled));
        first.max(self.longest_unconfirmed).max(self.longest_unhandled)
    }
}

/// Orders sent so long before an event may be under way when it comes.
const UNDER_WAY: Seconds = 2.0;

/// `handled` tells when each job was brought to an end that needed one attempt; the others say nothing of the service.
pub fn measure(event: Seconds, end: Seconds, posts: &[Post], handled: &HashMap<Uuid, Seconds>) -> Measures {
    let sent: Vec<&Post> = posts.iter().filter(|post| post.sent >= event && post.sent <= end).collect();
    let count = |is: fn(&Answer) -> bool| sent.iter().filter(|post| is(&post.answer)).count();
    let is_confirm = |post: &&Post| matches!(post.answer, Answer::Accepted(_));
    let confirms = |posts: &[&Post]| -> Vec<Seconds> {
        posts.iter().copied().filter(is_confirm).map(|post| post.answered).collect()
    };
    let works: Vec<(Seconds, Seconds)> = sent.iter().filter_map(|post| work(post, handled)).collect();
    let near = posts.iter().filter(|post| post.sent >= event - UNDER_WAY && post.sent <= end);
    let waits = near.filter_map(|post| work(post, handled)).map(|(confirmed, handled)| handled - confirmed);
    let moments: Vec<Seconds> = handled.values().copied().collect();
    let all: Vec<&Post> = posts.iter().collect();
    let since_event = |at: Seconds| at - event;
    Measures {
        first_confirmed: confirms(&sent).into_iter().reduce(Seconds::min).map(since_event),
        longest_unconfirmed: longest_gap(event, end, &confirms(&all)),
        first_handled: works.iter().map(|(_, handled)| *handled).reduce(Seconds::min).map(since_event),
        longest_unhandled: longest_gap(event, end, &moments),
        longest_wait: waits.fold(0.0, Seconds::max),
        confirmed: count(|answer| matches!(answer, Answer::Accepted(_))),
        refused: count(|answer| matches!(answer, Answer::Refused(_))),
        unknown: count(|answer| matches!(answer, Answer::Unknown(..))),
    }
}

/// When a post was confirmed and its job brought to an end.
fn work(post: &Post, handled: &HashMap<Uuid, Seconds>) -> Option<(Seconds, Seconds)> {
    let Answer::Accepted(job) = post.answer else { return None };
    Some((post.answered, *handled.get(&job)?))
}

/// The longest time between begin and end in which nothing happened.
fn longest_gap(begin: Seconds, end: Seconds, moments: &[Seconds]) -> Seconds {
    let mut moments: Vec<Seconds> = moments.iter().copied().filter(|at| *at > begin && *at < end).collect();
    moments.sort_by(Seconds::total_cmp);
    moments.insert(0, begin);
    moments.push(end.max(begin));
    moments.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, Seconds::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

    fn post(sent: Seconds, answered: Seconds, answer: Answer) -> Post {
        Post { sent, answered, answer }
    }

    #[test]
    fn what_was_sent_before_the_event_says_nothing_of_the_time_after() {
        let posts = [
            post(7.0, 10.5, Answer::Accepted(JOBS[0])),
            post(11.0, 12.0, Answer::Refused("503".to_owned())),
            post(12.0, 13.0, Answer::Unknown("reset".to_owned(), None)),
            post(14.0, 15.0, Answer::Accepted(JOBS[1])),
        ];
        let handled = HashMap::from([(JOBS[0], 11.0), (JOBS[1], 22.0)]);
        let measures = measure(10.0, 20.0, &posts, &handled);
        assert_eq!((measures.first_confirmed, measures.first_handled), (Some(5.0), Some(12.0)));
        assert_eq!((measures.confirmed, measures.refused, measures.unknown), (1, 1, 1));
        assert_eq!((measures.longest_unconfirmed, measures.longest_unhandled), (5.0, 9.0));
        assert_eq!((measures.longest_wait, measures.outage()), (7.0, 12.0));
    }

    #[test]
    fn without_any_work_the_outage_is_endless() {
        let posts = [post(11.0, 12.0, Answer::Accepted(JOBS[0]))];
        let measures = measure(10.0, 20.0, &posts, &HashMap::new());
        assert_eq!((measures.first_confirmed, measures.first_handled), (Some(2.0), None));
        assert!(measures.outage().is_infinite());
    }

    #[test]
    fn no_confirm_at_all_is_an_endless_outage() {
        let measures = measure(10.0, 20.0, &[post(9.0, 9.5, Answer::Accepted(JOBS[0]))], &HashMap::new());
        assert_eq!(measures.longest_unconfirmed, 10.0);
        assert!(measures.outage().is_infinite());
    }
}
