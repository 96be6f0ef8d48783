//! Which messages are over and which are still expected, job by job.

use std::collections::{HashMap, HashSet};

use millrace_contracts::catalog;
use millrace_protocol::DomainName;
use uuid::Uuid;

use super::Ended;

#[derive(Debug, Default)]
pub struct Flows {
    over: HashSet<(DomainName, Uuid)>,
    expected: HashSet<(DomainName, Uuid)>,
    jobs: HashMap<Uuid, Job>,
    settled: u64,
}

#[derive(Debug, Default)]
struct Job {
    begun: bool,
    expected: usize,
}

impl Job {
    fn is_settled(&self) -> bool {
        self.begun && self.expected == 0
    }
}

impl Flows {
    /// A handler is done with a message. To be told twice changes nothing.
    pub fn ended(&mut self, ended: &Ended) {
        let Some(handler) = catalog().domain(&ended.handler) else { return };
        if !self.over.insert((handler, ended.message_id)) {
            return;
        }
        let job = self.jobs.entry(ended.job_id).or_default();
        let was_settled = job.is_settled();
        // What is unreadable may say that it is a job; it is none of those that were taken.
        job.begun |= ended.message_id == ended.job_id && ended.status != "dead";
        if self.expected.remove(&(handler, ended.message_id)) {
            job.expected -= 1;
        }
        for emitted in ended.emitted() {
            for subscriber in
                catalog().find(&emitted.message_type).into_iter().flat_map(millrace_protocol::Entry::handlers)
            {
                let next = (*subscriber, emitted.id.0);
                if !self.over.contains(&next) && self.expected.insert(next) {
                    job.expected += 1;
                }
            }
        }
        match (was_settled, job.is_settled()) {
            (false, true) => self.settled += 1,
            (true, false) => self.settled -= 1,
            _ => {}
        }
    }

    pub fn settled(&self) -> u64 {
        self.settled
    }

    pub fn expected(&self) -> usize {
        self.expected.len()
    }

    pub fn has_begun(&self, job: Uuid) -> bool {
        self.jobs.get(&job).is_some_and(|job| job.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(handler: &str, message: u128, job: u128, emitted: &str) -> Ended {
        Ended {
            handler: handler.to_owned(),
            message_id: Uuid::from_u128(message),
            job_id: Uuid::from_u128(job),
            client_id: "dev".to_owned(),
            status: "succeeded".to_owned(),
            fingerprint: String::new(),
            emitted: Some(emitted.to_owned()),
        }
    }

    fn registered(id: u128) -> String {
        let id = Uuid::from_u128(id);
        format!(r#"[{{"id":"{id}","type":"users.registered","version":1,"body":{{}}}}]"#)
    }

    fn subscribers() -> &'static [DomainName] {
        let subscribers = catalog().find("users.registered").expect("an event of the catalog").handlers();
        assert!(subscribers.len() > 1, "there is something to wait for");
        subscribers
    }

    #[test]
    fn a_job_is_settled_when_every_domain_that_subscribes_is_done() {
        let mut flows = Flows::default();
        flows.ended(&ended("users", 1, 1, &registered(2)));
        for (done, subscriber) in subscribers().iter().enumerate() {
            assert_eq!((flows.settled(), flows.expected()), (0, subscribers().len() - done));
            flows.ended(&ended(subscriber.as_str(), 2, 1, "[]"));
            flows.ended(&ended(subscriber.as_str(), 2, 1, "[]"));
        }
        assert_eq!((flows.settled(), flows.expected()), (1, 0));
    }

    #[test]
    fn a_follow_up_may_be_seen_before_its_cause() {
        let mut flows = Flows::default();
        for subscriber in subscribers() {
            flows.ended(&ended(subscriber.as_str(), 2, 1, "[]"));
        }
        assert_eq!(flows.settled(), 0);
        flows.ended(&ended("users", 1, 1, &registered(2)));
        assert_eq!((flows.settled(), flows.expected()), (1, 0));
    }
}
