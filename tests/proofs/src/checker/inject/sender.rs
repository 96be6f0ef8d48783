//! A connection of the injector's own, which is made anew whenever it was lost.

use std::time::Duration;

use lapin::Confirmation;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use url::Url;

use super::message::Publication;
use crate::connections::Broker;

const DEADLINE: Duration = Duration::from_secs(5);
/// A broker that is down on purpose is not asked for every message.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Publishes with confirms.
pub struct Sender {
    url: Url,
    broker: Option<Broker>,
}

impl Sender {
    pub fn new(url: &Url) -> Self {
        Self { url: url.clone(), broker: None }
    }

    /// Publishes all at once and says whether the broker has all of them. If not, some may be there.
    pub async fn publish(&mut self, publications: &[Publication]) -> bool {
        if self.broker.is_none() {
            self.broker = Broker::connect(self.url.as_str()).await.ok();
        }
        let Some(broker) = &self.broker else {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            return false;
        };
        match tokio::time::timeout(DEADLINE, publish(broker, publications)).await {
            Ok(Ok(confirmed)) => confirmed,
            Ok(Err(_)) | Err(_) => {
                self.broker = None;
                false
            }
        }
    }

    pub async fn close(self) {
        if let Some(broker) = self.broker {
            broker.close().await;
        }
    }
}

async fn publish(broker: &Broker, publications: &[Publication]) -> lapin::Result<bool> {
    broker.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut confirms = Vec::with_capacity(publications.len());
    for publication in publications {
        let sent = broker.channel.basic_publish(
            ShortString::from(publication.exchange.as_str()),
            ShortString::from(publication.routing_key.as_str()),
            BasicPublishOptions::default(),
            &publication.body,
            publication.properties.clone(),
        );
        confirms.push(sent.await?);
    }
    let mut all = true;
    for confirm in confirms {
        all &= matches!(confirm.await?, Confirmation::Ack(_));
    }
    Ok(all)
}
