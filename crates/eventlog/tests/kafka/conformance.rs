//! The log in Kafka passes the checks of the port, on a real broker.

use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_testkit::conformance::eventlog::{Log, Settings};
use gamepipe_testkit::kafka_server::KafkaServer;
use gamepipe_testkit::place::Place;

use crate::logs::config;

/// All places share a broker; each has a topic of its own, named by its folder.
async fn open(place: &Place, settings: Settings) -> Log {
    let name = place.path().file_name().unwrap_or_default();
    let topic = format!("conformance{}", name.display());
    let config = LogConfig {
        partitions: settings.partitions,
        retention_seconds: settings.retention_seconds,
        retention_bytes: settings.retention_bytes,
        ..config(&KafkaServer::shared().bootstrap(), &topic)
    };
    match KafkaLog::open(&config, "unused", place.shared_clock()).await {
        Ok(log) => log,
        Err(error) => panic!("{error}"),
    }
}

mod kafka_log {
    // Left out:
    // - offsets_have_no_gaps: the end of a transaction takes an offset.
    // - a_repeated_id_is_appended_once, racing_appends_of_one_id_make_one_record, an_id_is_forgotten_after_its_window: a log
    //   that several processes append to remembers no ids (`remembers_ids`); such events go through the outbox.
    // - retention_by_size_removes_the_oldest_first: Kafka does not tell sizes; they are guessed from what was read.
    // - retention_goes_on_after_reopening: the next release says what has landed.
    // - a_full_log_refuses_and_takes_again_after_a_release: brokers have no limit of ours.
    gamepipe_testkit::event_log_conformance! { super::open:
        appended_records_are_read_back_whole_and_in_order
        records_of_a_key_keep_their_order_under_concurrency
        results_name_the_place_of_every_record
        reads_begin_at_any_offset
        reads_outside_the_log_are_refused
        an_outbox_lands_exactly_once_however_it_is_sent
        a_gap_in_an_outbox_is_refused_and_nothing_appended
        outboxes_are_counted_apart
        retention_removes_only_what_was_released
        impossible_releases_are_refused
        the_generation_stays_and_differs_between_logs
        the_number_of_partitions_stays
        waiting_for_records_ends_with_a_new_one
        everything_acknowledged_is_there_after_reopening
        large_and_empty_values_survive
    }
}
