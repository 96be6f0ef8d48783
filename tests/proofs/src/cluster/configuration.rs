//! The configuration that all three nodes share.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use millrace_testkit::services::ports;

use crate::cluster::node::Node;
use crate::cluster::options::Options;
use crate::error::Error;

/// Writes rabbitmq.conf, advanced.config and the cookie by which nodes trust each other.
pub fn write(folder: &Path, options: &Options, nodes: &[Node]) -> Result<(), Error> {
    // From 4.3 on the way to handle partitions is read and ignored: Khepri, like the queues, goes with the majority.
    let mut text = "\
        vm_memory_high_watermark.absolute = 600MB\n\
        disk_free_limit.absolute = 50MB\n\
        raft.wal_max_size_bytes = 64000000\n\
        collect_statistics_interval = 1000\n\
        cluster_partition_handling = pause_minority\n\
        cluster_formation.peer_discovery_backend = classic_config\n"
        .to_owned();
    for (number, node) in (1..).zip(nodes) {
        text += &format!("cluster_formation.classic_config.nodes.{number} = {}\n", node.name());
    }
    let cookie = folder.join("cookie");
    for (path, text) in [
        (folder.join("rabbitmq.conf"), text),
        (folder.join("advanced.config"), advanced(options)),
        (cookie.clone(), ports::password().to_uppercase()),
    ] {
        fs::write(&path, text).map_err(Error::file(&path))?;
    }
    // Erlang refuses a cookie that others may read.
    fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).map_err(Error::file(&cookie))
}

/// What has no name in the new-style file of every version; a version ignores here what it does not know.
fn advanced(options: &Options) -> String {
    let mut rabbit = "{quorum_tick_interval, 1000}".to_owned();
    if let Some(seconds) = options.disconnected_timeout_s {
        rabbit += &format!(", {{consumer_disconnected_timeout, {}}}", u64::from(seconds) * 1000);
    }
    format!("[{{kernel, [{{net_ticktime, {}}}]}}, {{rabbit, [{rabbit}]}}].\n", options.net_ticktime_s)
}
