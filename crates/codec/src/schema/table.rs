// Made by `schema-table` in protocol-tests from the message definitions of Apache Kafka 4.4.0
// (common/message/*.json in kafka-clients). Do not edit: change the generator.

use super::Listener::{Broker, Controller};
use super::Scalar::{Bool, Float64, Int16, Int32, Int64, Int8, Uint16, Uuid};
use super::Type::{Array, Bytes, Records, Scalar, String, Struct};
use super::{Kind, Message, Struct as S, field, message};

const MAX: i16 = i16::MAX;

pub(super) const MESSAGE_COUNT: usize = 203;

/// Every message, in the order of its name.
pub(super) static MESSAGES: [Message; MESSAGE_COUNT] = [
    message(0, &ABORTED_TXN).versions_in(0, 0),
    message(1, &ADD_OFFSETS_TO_TXN_REQUEST).api(Kind::Request, 25).versions_in(0, 4).flexible_in(3, MAX).served_by(&[Broker]),
    message(2, &ADD_OFFSETS_TO_TXN_RESPONSE).api(Kind::Response, 25).versions_in(0, 4).flexible_in(3, MAX),
    message(3, &ADD_PARTITIONS_TO_TXN_REQUEST).api(Kind::Request, 24).versions_in(0, 5).flexible_in(3, MAX).served_by(&[Broker]),
    message(4, &ADD_PARTITIONS_TO_TXN_RESPONSE).api(Kind::Response, 24).versions_in(0, 5).flexible_in(3, MAX),
    message(5, &ADD_RAFT_VOTER_REQUEST).api(Kind::Request, 80).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Controller, Broker]),
    message(6, &ADD_RAFT_VOTER_RESPONSE).api(Kind::Response, 80).versions_in(0, 1).flexible_in(0, MAX),
    message(7, &ALLOCATE_PRODUCER_IDS_REQUEST).api(Kind::Request, 67).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller]),
    message(8, &ALLOCATE_PRODUCER_IDS_RESPONSE).api(Kind::Response, 67).versions_in(0, 0).flexible_in(0, MAX),
    message(9, &ALTER_CLIENT_QUOTAS_REQUEST).api(Kind::Request, 49).versions_in(0, 1).flexible_in(1, MAX).served_by(&[Broker, Controller]),
    message(10, &ALTER_CLIENT_QUOTAS_RESPONSE).api(Kind::Response, 49).versions_in(0, 1).flexible_in(1, MAX),
    message(11, &ALTER_CONFIGS_REQUEST).api(Kind::Request, 33).versions_in(0, 2).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(12, &ALTER_CONFIGS_RESPONSE).api(Kind::Response, 33).versions_in(0, 2).flexible_in(2, MAX),
    message(13, &ALTER_PARTITION_REASSIGNMENTS_REQUEST).api(Kind::Request, 45).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(14, &ALTER_PARTITION_REASSIGNMENTS_RESPONSE).api(Kind::Response, 45).versions_in(0, 1).flexible_in(0, MAX),
    message(15, &ALTER_PARTITION_REQUEST).api(Kind::Request, 56).versions_in(2, 3).flexible_in(0, MAX).served_by(&[Controller]),
    message(16, &ALTER_PARTITION_RESPONSE).api(Kind::Response, 56).versions_in(2, 3).flexible_in(0, MAX),
    message(17, &ALTER_REPLICA_LOG_DIRS_REQUEST).api(Kind::Request, 34).versions_in(1, 2).flexible_in(2, MAX).served_by(&[Broker]),
    message(18, &ALTER_REPLICA_LOG_DIRS_RESPONSE).api(Kind::Response, 34).versions_in(1, 2).flexible_in(2, MAX),
    message(19, &ALTER_SHARE_GROUP_OFFSETS_REQUEST).api(Kind::Request, 91).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(20, &ALTER_SHARE_GROUP_OFFSETS_RESPONSE).api(Kind::Response, 91).versions_in(0, 0).flexible_in(0, MAX),
    message(21, &ALTER_USER_SCRAM_CREDENTIALS_REQUEST).api(Kind::Request, 51).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(22, &ALTER_USER_SCRAM_CREDENTIALS_RESPONSE).api(Kind::Response, 51).versions_in(0, 0).flexible_in(0, MAX),
    message(23, &API_VERSIONS_REQUEST).api(Kind::Request, 18).versions_in(0, 5).flexible_in(3, MAX).served_by(&[Broker, Controller]),
    message(24, &API_VERSIONS_RESPONSE).api(Kind::Response, 18).versions_in(0, 5).flexible_in(3, MAX),
    message(25, &ASSIGN_REPLICAS_TO_DIRS_REQUEST).api(Kind::Request, 73).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller]),
    message(26, &ASSIGN_REPLICAS_TO_DIRS_RESPONSE).api(Kind::Response, 73).versions_in(0, 0).flexible_in(0, MAX),
    message(27, &BEGIN_QUORUM_EPOCH_REQUEST).api(Kind::Request, 53).versions_in(0, 1).flexible_in(1, MAX).served_by(&[Controller]),
    message(28, &BEGIN_QUORUM_EPOCH_RESPONSE).api(Kind::Response, 53).versions_in(0, 1).flexible_in(1, MAX),
    message(29, &BROKER_HEARTBEAT_REQUEST).api(Kind::Request, 63).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Controller]),
    message(30, &BROKER_HEARTBEAT_RESPONSE).api(Kind::Response, 63).versions_in(0, 2).flexible_in(0, MAX),
    message(31, &BROKER_REGISTRATION_REQUEST).api(Kind::Request, 62).versions_in(0, 4).flexible_in(0, MAX).served_by(&[Controller]),
    message(32, &BROKER_REGISTRATION_RESPONSE).api(Kind::Response, 62).versions_in(0, 4).flexible_in(0, MAX),
    message(33, &CONSUMER_GROUP_DESCRIBE_REQUEST).api(Kind::Request, 69).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(34, &CONSUMER_GROUP_DESCRIBE_RESPONSE).api(Kind::Response, 69).versions_in(0, 1).flexible_in(0, MAX),
    message(35, &CONSUMER_GROUP_HEARTBEAT_REQUEST).api(Kind::Request, 68).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(36, &CONSUMER_GROUP_HEARTBEAT_RESPONSE).api(Kind::Response, 68).versions_in(0, 1).flexible_in(0, MAX),
    message(37, &CONSUMER_PROTOCOL_ASSIGNMENT).versions_in(0, 3),
    message(38, &CONSUMER_PROTOCOL_SUBSCRIPTION).versions_in(0, 3),
    message(39, &CONTROL_RECORD_TYPE_SCHEMA).versions_in(0, 0),
    message(40, &CONTROLLED_SHUTDOWN_REQUEST).api(Kind::Request, 7),
    message(41, &CONTROLLED_SHUTDOWN_RESPONSE).api(Kind::Response, 7),
    message(42, &CONTROLLER_REGISTRATION_REQUEST).api(Kind::Request, 70).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller]),
    message(43, &CONTROLLER_REGISTRATION_RESPONSE).api(Kind::Response, 70).versions_in(0, 0).flexible_in(0, MAX),
    message(44, &CREATE_ACLS_REQUEST).api(Kind::Request, 30).versions_in(1, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(45, &CREATE_ACLS_RESPONSE).api(Kind::Response, 30).versions_in(1, 3).flexible_in(2, MAX),
    message(46, &CREATE_DELEGATION_TOKEN_REQUEST).api(Kind::Request, 38).versions_in(1, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(47, &CREATE_DELEGATION_TOKEN_RESPONSE).api(Kind::Response, 38).versions_in(1, 3).flexible_in(2, MAX),
    message(48, &CREATE_PARTITIONS_REQUEST).api(Kind::Request, 37).versions_in(0, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(49, &CREATE_PARTITIONS_RESPONSE).api(Kind::Response, 37).versions_in(0, 3).flexible_in(2, MAX),
    message(50, &CREATE_TOPICS_REQUEST).api(Kind::Request, 19).versions_in(2, 7).flexible_in(5, MAX).served_by(&[Broker, Controller]),
    message(51, &CREATE_TOPICS_RESPONSE).api(Kind::Response, 19).versions_in(2, 7).flexible_in(5, MAX),
    message(52, &DEFAULT_PRINCIPAL_DATA).versions_in(0, 0).flexible_in(0, MAX),
    message(53, &DELETE_ACLS_REQUEST).api(Kind::Request, 31).versions_in(1, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(54, &DELETE_ACLS_RESPONSE).api(Kind::Response, 31).versions_in(1, 3).flexible_in(2, MAX),
    message(55, &DELETE_GROUPS_REQUEST).api(Kind::Request, 42).versions_in(0, 3).flexible_in(2, MAX).served_by(&[Broker]),
    message(56, &DELETE_GROUPS_RESPONSE).api(Kind::Response, 42).versions_in(0, 3).flexible_in(2, MAX),
    message(57, &DELETE_RECORDS_REQUEST).api(Kind::Request, 21).versions_in(0, 2).flexible_in(2, MAX).served_by(&[Broker]),
    message(58, &DELETE_RECORDS_RESPONSE).api(Kind::Response, 21).versions_in(0, 2).flexible_in(2, MAX),
    message(59, &DELETE_SHARE_GROUP_OFFSETS_REQUEST).api(Kind::Request, 92).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(60, &DELETE_SHARE_GROUP_OFFSETS_RESPONSE).api(Kind::Response, 92).versions_in(0, 0).flexible_in(0, MAX),
    message(61, &DELETE_SHARE_GROUP_STATE_REQUEST).api(Kind::Request, 86).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(62, &DELETE_SHARE_GROUP_STATE_RESPONSE).api(Kind::Response, 86).versions_in(0, 0).flexible_in(0, MAX),
    message(63, &DELETE_TOPICS_REQUEST).api(Kind::Request, 20).versions_in(1, 6).flexible_in(4, MAX).served_by(&[Broker, Controller]),
    message(64, &DELETE_TOPICS_RESPONSE).api(Kind::Response, 20).versions_in(1, 6).flexible_in(4, MAX),
    message(65, &DESCRIBE_ACLS_REQUEST).api(Kind::Request, 29).versions_in(1, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(66, &DESCRIBE_ACLS_RESPONSE).api(Kind::Response, 29).versions_in(1, 3).flexible_in(2, MAX),
    message(67, &DESCRIBE_CLIENT_QUOTAS_REQUEST).api(Kind::Request, 48).versions_in(0, 1).flexible_in(1, MAX).served_by(&[Broker]),
    message(68, &DESCRIBE_CLIENT_QUOTAS_RESPONSE).api(Kind::Response, 48).versions_in(0, 1).flexible_in(1, MAX),
    message(69, &DESCRIBE_CLUSTER_REQUEST).api(Kind::Request, 60).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(70, &DESCRIBE_CLUSTER_RESPONSE).api(Kind::Response, 60).versions_in(0, 2).flexible_in(0, MAX),
    message(71, &DESCRIBE_CONFIGS_REQUEST).api(Kind::Request, 32).versions_in(1, 4).flexible_in(4, MAX).served_by(&[Broker, Controller]),
    message(72, &DESCRIBE_CONFIGS_RESPONSE).api(Kind::Response, 32).versions_in(1, 4).flexible_in(4, MAX),
    message(73, &DESCRIBE_DELEGATION_TOKEN_REQUEST).api(Kind::Request, 41).versions_in(1, 3).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(74, &DESCRIBE_DELEGATION_TOKEN_RESPONSE).api(Kind::Response, 41).versions_in(1, 3).flexible_in(2, MAX),
    message(75, &DESCRIBE_GROUPS_REQUEST).api(Kind::Request, 15).versions_in(0, 6).flexible_in(5, MAX).served_by(&[Broker]),
    message(76, &DESCRIBE_GROUPS_RESPONSE).api(Kind::Response, 15).versions_in(0, 6).flexible_in(5, MAX),
    message(77, &DESCRIBE_LOG_DIRS_REQUEST).api(Kind::Request, 35).versions_in(1, 5).flexible_in(2, MAX).served_by(&[Broker]),
    message(78, &DESCRIBE_LOG_DIRS_RESPONSE).api(Kind::Response, 35).versions_in(1, 5).flexible_in(2, MAX),
    message(79, &DESCRIBE_PRODUCERS_REQUEST).api(Kind::Request, 61).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(80, &DESCRIBE_PRODUCERS_RESPONSE).api(Kind::Response, 61).versions_in(0, 0).flexible_in(0, MAX),
    message(81, &DESCRIBE_QUORUM_REQUEST).api(Kind::Request, 55).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(82, &DESCRIBE_QUORUM_RESPONSE).api(Kind::Response, 55).versions_in(0, 2).flexible_in(0, MAX),
    message(83, &DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST).api(Kind::Request, 90).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(84, &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE).api(Kind::Response, 90).versions_in(0, 1).flexible_in(0, MAX),
    message(85, &DESCRIBE_TOPIC_PARTITIONS_REQUEST).api(Kind::Request, 75).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(86, &DESCRIBE_TOPIC_PARTITIONS_RESPONSE).api(Kind::Response, 75).versions_in(0, 0).flexible_in(0, MAX),
    message(87, &DESCRIBE_TRANSACTIONS_REQUEST).api(Kind::Request, 65).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(88, &DESCRIBE_TRANSACTIONS_RESPONSE).api(Kind::Response, 65).versions_in(0, 0).flexible_in(0, MAX),
    message(89, &DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST).api(Kind::Request, 50).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(90, &DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE).api(Kind::Response, 50).versions_in(0, 0).flexible_in(0, MAX),
    message(91, &ELECT_LEADERS_REQUEST).api(Kind::Request, 43).versions_in(0, 2).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(92, &ELECT_LEADERS_RESPONSE).api(Kind::Response, 43).versions_in(0, 2).flexible_in(2, MAX),
    message(93, &END_QUORUM_EPOCH_REQUEST).api(Kind::Request, 54).versions_in(0, 1).flexible_in(1, MAX).served_by(&[Controller]),
    message(94, &END_QUORUM_EPOCH_RESPONSE).api(Kind::Response, 54).versions_in(0, 1).flexible_in(1, MAX),
    message(95, &END_TXN_MARKER).versions_in(0, 0),
    message(96, &END_TXN_REQUEST).api(Kind::Request, 26).versions_in(0, 5).flexible_in(3, MAX).served_by(&[Broker]),
    message(97, &END_TXN_RESPONSE).api(Kind::Response, 26).versions_in(0, 5).flexible_in(3, MAX),
    message(98, &ENVELOPE_REQUEST).api(Kind::Request, 58).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller]),
    message(99, &ENVELOPE_RESPONSE).api(Kind::Response, 58).versions_in(0, 0).flexible_in(0, MAX),
    message(100, &EXPIRE_DELEGATION_TOKEN_REQUEST).api(Kind::Request, 40).versions_in(1, 2).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(101, &EXPIRE_DELEGATION_TOKEN_RESPONSE).api(Kind::Response, 40).versions_in(1, 2).flexible_in(2, MAX),
    message(102, &FETCH_REQUEST).api(Kind::Request, 1).versions_in(4, 18).flexible_in(12, MAX).served_by(&[Broker, Controller]),
    message(103, &FETCH_RESPONSE).api(Kind::Response, 1).versions_in(4, 18).flexible_in(12, MAX),
    message(104, &FETCH_SNAPSHOT_REQUEST).api(Kind::Request, 59).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Controller]),
    message(105, &FETCH_SNAPSHOT_RESPONSE).api(Kind::Response, 59).versions_in(0, 1).flexible_in(0, MAX),
    message(106, &FIND_COORDINATOR_REQUEST).api(Kind::Request, 10).versions_in(0, 6).flexible_in(3, MAX).served_by(&[Broker]),
    message(107, &FIND_COORDINATOR_RESPONSE).api(Kind::Response, 10).versions_in(0, 6).flexible_in(3, MAX),
    message(108, &GET_TELEMETRY_SUBSCRIPTIONS_REQUEST).api(Kind::Request, 71).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(109, &GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE).api(Kind::Response, 71).versions_in(0, 0).flexible_in(0, MAX),
    message(110, &HEARTBEAT_REQUEST).api(Kind::Request, 12).versions_in(0, 4).flexible_in(4, MAX).served_by(&[Broker]),
    message(111, &HEARTBEAT_RESPONSE).api(Kind::Response, 12).versions_in(0, 4).flexible_in(4, MAX),
    message(112, &INCREMENTAL_ALTER_CONFIGS_REQUEST).api(Kind::Request, 44).versions_in(0, 1).flexible_in(1, MAX).served_by(&[Broker, Controller]),
    message(113, &INCREMENTAL_ALTER_CONFIGS_RESPONSE).api(Kind::Response, 44).versions_in(0, 1).flexible_in(1, MAX),
    message(114, &INIT_PRODUCER_ID_REQUEST).api(Kind::Request, 22).versions_in(0, 6).flexible_in(2, MAX).latest_unstable().served_by(&[Broker]),
    message(115, &INIT_PRODUCER_ID_RESPONSE).api(Kind::Response, 22).versions_in(0, 6).flexible_in(2, MAX),
    message(116, &INITIALIZE_SHARE_GROUP_STATE_REQUEST).api(Kind::Request, 83).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(117, &INITIALIZE_SHARE_GROUP_STATE_RESPONSE).api(Kind::Response, 83).versions_in(0, 0).flexible_in(0, MAX),
    message(118, &JOIN_GROUP_REQUEST).api(Kind::Request, 11).versions_in(0, 9).flexible_in(6, MAX).served_by(&[Broker]),
    message(119, &JOIN_GROUP_RESPONSE).api(Kind::Response, 11).versions_in(0, 9).flexible_in(6, MAX),
    message(120, &KRAFT_VERSION_RECORD).versions_in(0, 0).flexible_in(0, MAX),
    message(121, &LEADER_AND_ISR_REQUEST).api(Kind::Request, 4),
    message(122, &LEADER_AND_ISR_RESPONSE).api(Kind::Response, 4),
    message(123, &LEADER_CHANGE_MESSAGE).versions_in(0, 1).flexible_in(0, MAX),
    message(124, &LEAVE_GROUP_REQUEST).api(Kind::Request, 13).versions_in(0, 5).flexible_in(4, MAX).served_by(&[Broker]),
    message(125, &LEAVE_GROUP_RESPONSE).api(Kind::Response, 13).versions_in(0, 5).flexible_in(4, MAX),
    message(126, &LIST_CONFIG_RESOURCES_REQUEST).api(Kind::Request, 74).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(127, &LIST_CONFIG_RESOURCES_RESPONSE).api(Kind::Response, 74).versions_in(0, 1).flexible_in(0, MAX),
    message(128, &LIST_GROUPS_REQUEST).api(Kind::Request, 16).versions_in(0, 5).flexible_in(3, MAX).served_by(&[Broker]),
    message(129, &LIST_GROUPS_RESPONSE).api(Kind::Response, 16).versions_in(0, 5).flexible_in(3, MAX),
    message(130, &LIST_OFFSETS_REQUEST).api(Kind::Request, 2).versions_in(1, 11).flexible_in(6, MAX).served_by(&[Broker]),
    message(131, &LIST_OFFSETS_RESPONSE).api(Kind::Response, 2).versions_in(1, 11).flexible_in(6, MAX),
    message(132, &LIST_PARTITION_REASSIGNMENTS_REQUEST).api(Kind::Request, 46).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(133, &LIST_PARTITION_REASSIGNMENTS_RESPONSE).api(Kind::Response, 46).versions_in(0, 0).flexible_in(0, MAX),
    message(134, &LIST_TRANSACTIONS_REQUEST).api(Kind::Request, 66).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Broker]),
    message(135, &LIST_TRANSACTIONS_RESPONSE).api(Kind::Response, 66).versions_in(0, 2).flexible_in(0, MAX),
    message(136, &METADATA_REQUEST).api(Kind::Request, 3).versions_in(0, 13).flexible_in(9, MAX).served_by(&[Broker]),
    message(137, &METADATA_RESPONSE).api(Kind::Response, 3).versions_in(0, 13).flexible_in(9, MAX),
    message(138, &OFFSET_COMMIT_REQUEST).api(Kind::Request, 8).versions_in(2, 10).flexible_in(8, MAX).served_by(&[Broker]),
    message(139, &OFFSET_COMMIT_RESPONSE).api(Kind::Response, 8).versions_in(2, 10).flexible_in(8, MAX),
    message(140, &OFFSET_DELETE_REQUEST).api(Kind::Request, 47).versions_in(0, 0).served_by(&[Broker]),
    message(141, &OFFSET_DELETE_RESPONSE).api(Kind::Response, 47).versions_in(0, 0),
    message(142, &OFFSET_FETCH_REQUEST).api(Kind::Request, 9).versions_in(1, 10).flexible_in(6, MAX).served_by(&[Broker]),
    message(143, &OFFSET_FETCH_RESPONSE).api(Kind::Response, 9).versions_in(1, 10).flexible_in(6, MAX),
    message(144, &OFFSET_FOR_LEADER_EPOCH_REQUEST).api(Kind::Request, 23).versions_in(2, 4).flexible_in(4, MAX).served_by(&[Broker]),
    message(145, &OFFSET_FOR_LEADER_EPOCH_RESPONSE).api(Kind::Response, 23).versions_in(2, 4).flexible_in(4, MAX),
    message(146, &PRODUCE_REQUEST).api(Kind::Request, 0).versions_in(3, 13).flexible_in(9, MAX).served_by(&[Broker]),
    message(147, &PRODUCE_RESPONSE).api(Kind::Response, 0).versions_in(3, 13).flexible_in(9, MAX),
    message(148, &PUSH_TELEMETRY_REQUEST).api(Kind::Request, 72).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(149, &PUSH_TELEMETRY_RESPONSE).api(Kind::Response, 72).versions_in(0, 0).flexible_in(0, MAX),
    message(150, &READ_SHARE_GROUP_STATE_REQUEST).api(Kind::Request, 84).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(151, &READ_SHARE_GROUP_STATE_RESPONSE).api(Kind::Response, 84).versions_in(0, 0).flexible_in(0, MAX),
    message(152, &READ_SHARE_GROUP_STATE_SUMMARY_REQUEST).api(Kind::Request, 87).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(153, &READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE).api(Kind::Response, 87).versions_in(0, 1).flexible_in(0, MAX),
    message(154, &REMOVE_RAFT_VOTER_REQUEST).api(Kind::Request, 81).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller, Broker]),
    message(155, &REMOVE_RAFT_VOTER_RESPONSE).api(Kind::Response, 81).versions_in(0, 0).flexible_in(0, MAX),
    message(156, &RENEW_DELEGATION_TOKEN_REQUEST).api(Kind::Request, 39).versions_in(1, 2).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(157, &RENEW_DELEGATION_TOKEN_RESPONSE).api(Kind::Response, 39).versions_in(1, 2).flexible_in(2, MAX),
    message(158, &REQUEST_HEADER).header().versions_in(1, 2).flexible_in(2, MAX),
    message(159, &RESPONSE_HEADER).header().versions_in(0, 1).flexible_in(1, MAX),
    message(160, &SASL_AUTHENTICATE_REQUEST).api(Kind::Request, 36).versions_in(0, 2).flexible_in(2, MAX).served_by(&[Broker, Controller]),
    message(161, &SASL_AUTHENTICATE_RESPONSE).api(Kind::Response, 36).versions_in(0, 2).flexible_in(2, MAX),
    message(162, &SASL_HANDSHAKE_REQUEST).api(Kind::Request, 17).versions_in(0, 1).served_by(&[Broker, Controller]),
    message(163, &SASL_HANDSHAKE_RESPONSE).api(Kind::Response, 17).versions_in(0, 1),
    message(164, &SHARE_ACKNOWLEDGE_REQUEST).api(Kind::Request, 79).versions_in(1, 2).flexible_in(0, MAX).served_by(&[Broker]),
    message(165, &SHARE_ACKNOWLEDGE_RESPONSE).api(Kind::Response, 79).versions_in(1, 2).flexible_in(0, MAX),
    message(166, &SHARE_FETCH_REQUEST).api(Kind::Request, 78).versions_in(1, 2).flexible_in(0, MAX).served_by(&[Broker]),
    message(167, &SHARE_FETCH_RESPONSE).api(Kind::Response, 78).versions_in(1, 2).flexible_in(0, MAX),
    message(168, &SHARE_GROUP_DESCRIBE_REQUEST).api(Kind::Request, 77).versions_in(1, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(169, &SHARE_GROUP_DESCRIBE_RESPONSE).api(Kind::Response, 77).versions_in(1, 1).flexible_in(0, MAX),
    message(170, &SHARE_GROUP_HEARTBEAT_REQUEST).api(Kind::Request, 76).versions_in(1, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(171, &SHARE_GROUP_HEARTBEAT_RESPONSE).api(Kind::Response, 76).versions_in(1, 1).flexible_in(0, MAX),
    message(172, &SNAPSHOT_FOOTER_RECORD).versions_in(0, 0).flexible_in(0, MAX),
    message(173, &SNAPSHOT_HEADER_RECORD).versions_in(0, 0).flexible_in(0, MAX),
    message(174, &STOP_REPLICA_REQUEST).api(Kind::Request, 5),
    message(175, &STOP_REPLICA_RESPONSE).api(Kind::Response, 5),
    message(176, &STREAMS_GROUP_DESCRIBE_REQUEST).api(Kind::Request, 89).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(177, &STREAMS_GROUP_DESCRIBE_RESPONSE).api(Kind::Response, 89).versions_in(0, 1).flexible_in(0, MAX),
    message(178, &STREAMS_GROUP_HEARTBEAT_REQUEST).api(Kind::Request, 88).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(179, &STREAMS_GROUP_HEARTBEAT_RESPONSE).api(Kind::Response, 88).versions_in(0, 1).flexible_in(0, MAX),
    message(180, &STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST).api(Kind::Request, 93).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker]),
    message(181, &STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_RESPONSE).api(Kind::Response, 93).versions_in(0, 0).flexible_in(0, MAX),
    message(182, &SYNC_GROUP_REQUEST).api(Kind::Request, 14).versions_in(0, 5).flexible_in(4, MAX).served_by(&[Broker]),
    message(183, &SYNC_GROUP_RESPONSE).api(Kind::Response, 14).versions_in(0, 5).flexible_in(4, MAX),
    message(184, &TXN_OFFSET_COMMIT_REQUEST).api(Kind::Request, 28).versions_in(0, 6).flexible_in(3, MAX).served_by(&[Broker]),
    message(185, &TXN_OFFSET_COMMIT_RESPONSE).api(Kind::Response, 28).versions_in(0, 6).flexible_in(3, MAX),
    message(186, &UNREGISTER_BROKER_REQUEST).api(Kind::Request, 64).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(187, &UNREGISTER_BROKER_RESPONSE).api(Kind::Response, 64).versions_in(0, 0).flexible_in(0, MAX),
    message(188, &UNREGISTER_CONTROLLER_REQUEST).api(Kind::Request, 94).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(189, &UNREGISTER_CONTROLLER_RESPONSE).api(Kind::Response, 94).versions_in(0, 0).flexible_in(0, MAX),
    message(190, &UPDATE_FEATURES_REQUEST).api(Kind::Request, 57).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Broker, Controller]),
    message(191, &UPDATE_FEATURES_RESPONSE).api(Kind::Response, 57).versions_in(0, 2).flexible_in(0, MAX),
    message(192, &UPDATE_METADATA_REQUEST).api(Kind::Request, 6),
    message(193, &UPDATE_METADATA_RESPONSE).api(Kind::Response, 6),
    message(194, &UPDATE_RAFT_VOTER_REQUEST).api(Kind::Request, 82).versions_in(0, 0).flexible_in(0, MAX).served_by(&[Controller]),
    message(195, &UPDATE_RAFT_VOTER_RESPONSE).api(Kind::Response, 82).versions_in(0, 0).flexible_in(0, MAX),
    message(196, &VOTE_REQUEST).api(Kind::Request, 52).versions_in(0, 2).flexible_in(0, MAX).served_by(&[Controller]),
    message(197, &VOTE_RESPONSE).api(Kind::Response, 52).versions_in(0, 2).flexible_in(0, MAX),
    message(198, &VOTERS_RECORD).versions_in(0, 0).flexible_in(0, MAX),
    message(199, &WRITE_SHARE_GROUP_STATE_REQUEST).api(Kind::Request, 85).versions_in(0, 1).flexible_in(0, MAX).served_by(&[Broker]),
    message(200, &WRITE_SHARE_GROUP_STATE_RESPONSE).api(Kind::Response, 85).versions_in(0, 1).flexible_in(0, MAX),
    message(201, &WRITE_TXN_MARKERS_REQUEST).api(Kind::Request, 27).versions_in(1, 2).flexible_in(1, MAX).served_by(&[Broker]),
    message(202, &WRITE_TXN_MARKERS_RESPONSE).api(Kind::Response, 27).versions_in(1, 2).flexible_in(1, MAX),
];

/// For each API key the places of request and response in `MESSAGES`.
pub(super) static APIS: [Option<(u16, u16)>; 95] = [
    Some((146, 147)), // 0
    Some((102, 103)), // 1
    Some((130, 131)), // 2
    Some((136, 137)), // 3
    Some((121, 122)), // 4
    Some((174, 175)), // 5
    Some((192, 193)), // 6
    Some((40, 41)), // 7
    Some((138, 139)), // 8
    Some((142, 143)), // 9
    Some((106, 107)), // 10
    Some((118, 119)), // 11
    Some((110, 111)), // 12
    Some((124, 125)), // 13
    Some((182, 183)), // 14
    Some((75, 76)), // 15
    Some((128, 129)), // 16
    Some((162, 163)), // 17
    Some((23, 24)), // 18
    Some((50, 51)), // 19
    Some((63, 64)), // 20
    Some((57, 58)), // 21
    Some((114, 115)), // 22
    Some((144, 145)), // 23
    Some((3, 4)), // 24
    Some((1, 2)), // 25
    Some((96, 97)), // 26
    Some((201, 202)), // 27
    Some((184, 185)), // 28
    Some((65, 66)), // 29
    Some((44, 45)), // 30
    Some((53, 54)), // 31
    Some((71, 72)), // 32
    Some((11, 12)), // 33
    Some((17, 18)), // 34
    Some((77, 78)), // 35
    Some((160, 161)), // 36
    Some((48, 49)), // 37
    Some((46, 47)), // 38
    Some((156, 157)), // 39
    Some((100, 101)), // 40
    Some((73, 74)), // 41
    Some((55, 56)), // 42
    Some((91, 92)), // 43
    Some((112, 113)), // 44
    Some((13, 14)), // 45
    Some((132, 133)), // 46
    Some((140, 141)), // 47
    Some((67, 68)), // 48
    Some((9, 10)), // 49
    Some((89, 90)), // 50
    Some((21, 22)), // 51
    Some((196, 197)), // 52
    Some((27, 28)), // 53
    Some((93, 94)), // 54
    Some((81, 82)), // 55
    Some((15, 16)), // 56
    Some((190, 191)), // 57
    Some((98, 99)), // 58
    Some((104, 105)), // 59
    Some((69, 70)), // 60
    Some((79, 80)), // 61
    Some((31, 32)), // 62
    Some((29, 30)), // 63
    Some((186, 187)), // 64
    Some((87, 88)), // 65
    Some((134, 135)), // 66
    Some((7, 8)), // 67
    Some((35, 36)), // 68
    Some((33, 34)), // 69
    Some((42, 43)), // 70
    Some((108, 109)), // 71
    Some((148, 149)), // 72
    Some((25, 26)), // 73
    Some((126, 127)), // 74
    Some((85, 86)), // 75
    Some((170, 171)), // 76
    Some((168, 169)), // 77
    Some((166, 167)), // 78
    Some((164, 165)), // 79
    Some((5, 6)), // 80
    Some((154, 155)), // 81
    Some((194, 195)), // 82
    Some((116, 117)), // 83
    Some((150, 151)), // 84
    Some((199, 200)), // 85
    Some((61, 62)), // 86
    Some((152, 153)), // 87
    Some((178, 179)), // 88
    Some((176, 177)), // 89
    Some((83, 84)), // 90
    Some((19, 20)), // 91
    Some((59, 60)), // 92
    Some((180, 181)), // 93
    Some((188, 189)), // 94
];

static ABORTED_TXN: S = S { name: "AbortedTxn", fields: &[
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("LastStableOffset", Scalar(Int64), 0, MAX),
]};

static ADD_OFFSETS_TO_TXN_REQUEST: S = S { name: "AddOffsetsToTxnRequest", fields: &[
    field("TransactionalId", String, 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("GroupId", String, 0, MAX),
]};

static ADD_OFFSETS_TO_TXN_RESPONSE: S = S { name: "AddOffsetsToTxnResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static ADD_PARTITIONS_TO_TXN_REQUEST: S = S { name: "AddPartitionsToTxnRequest", fields: &[
    field("Transactions", Array(&Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TRANSACTION)), 4, MAX),
    field("V3AndBelowTransactionalId", String, 0, 3),
    field("V3AndBelowProducerId", Scalar(Int64), 0, 3),
    field("V3AndBelowProducerEpoch", Scalar(Int16), 0, 3),
    field("V3AndBelowTopics", Array(&Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC)), 0, 3),
]};

static ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TRANSACTION: S = S { name: "AddPartitionsToTxnTransaction", fields: &[
    field("TransactionalId", String, 4, MAX).key(),
    field("ProducerId", Scalar(Int64), 4, MAX),
    field("ProducerEpoch", Scalar(Int16), 4, MAX),
    field("VerifyOnly", Scalar(Bool), 4, MAX),
    field("Topics", Array(&Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC)), 4, MAX),
]};

static ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC: S = S { name: "AddPartitionsToTxnTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static ADD_PARTITIONS_TO_TXN_RESPONSE: S = S { name: "AddPartitionsToTxnResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 4, MAX),
    field("ResultsByTransaction", Array(&Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_RESULT)), 4, MAX),
    field("ResultsByTopicV3AndBelow", Array(&Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT)), 0, 3),
]};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_RESULT: S = S { name: "AddPartitionsToTxnResult", fields: &[
    field("TransactionalId", String, 4, MAX).key(),
    field("TopicResults", Array(&Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT)), 4, MAX),
]};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT: S = S { name: "AddPartitionsToTxnTopicResult", fields: &[
    field("Name", String, 0, MAX).key(),
    field("ResultsByPartition", Array(&Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT)), 0, MAX),
]};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT: S = S { name: "AddPartitionsToTxnPartitionResult", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("PartitionErrorCode", Scalar(Int16), 0, MAX),
]};

static ADD_RAFT_VOTER_REQUEST: S = S { name: "AddRaftVoterRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
    field("VoterId", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 0, MAX),
    field("Listeners", Array(&Struct(&ADD_RAFT_VOTER_REQUEST_LISTENER)), 0, MAX),
    field("AckWhenCommitted", Scalar(Bool), 1, MAX),
]};

static ADD_RAFT_VOTER_REQUEST_LISTENER: S = S { name: "Listener", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static ADD_RAFT_VOTER_RESPONSE: S = S { name: "AddRaftVoterResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static ALLOCATE_PRODUCER_IDS_REQUEST: S = S { name: "AllocateProducerIdsRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
    field("BrokerEpoch", Scalar(Int64), 0, MAX),
]};

static ALLOCATE_PRODUCER_IDS_RESPONSE: S = S { name: "AllocateProducerIdsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ProducerIdStart", Scalar(Int64), 0, MAX),
    field("ProducerIdLen", Scalar(Int32), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_REQUEST: S = S { name: "AlterClientQuotasRequest", fields: &[
    field("Entries", Array(&Struct(&ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_DATA)), 0, MAX),
    field("ValidateOnly", Scalar(Bool), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_DATA: S = S { name: "EntryData", fields: &[
    field("Entity", Array(&Struct(&ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_DATA)), 0, MAX),
    field("Ops", Array(&Struct(&ALTER_CLIENT_QUOTAS_REQUEST_OP_DATA)), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_DATA: S = S { name: "EntityData", fields: &[
    field("EntityType", String, 0, MAX),
    field("EntityName", String, 0, MAX).nullable_in(0, MAX),
]};

static ALTER_CLIENT_QUOTAS_REQUEST_OP_DATA: S = S { name: "OpData", fields: &[
    field("Key", String, 0, MAX),
    field("Value", Scalar(Float64), 0, MAX),
    field("Remove", Scalar(Bool), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_RESPONSE: S = S { name: "AlterClientQuotasResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Entries", Array(&Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA)), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA: S = S { name: "EntryData", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Entity", Array(&Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA)), 0, MAX),
]};

static ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA: S = S { name: "EntityData", fields: &[
    field("EntityType", String, 0, MAX),
    field("EntityName", String, 0, MAX).nullable_in(0, MAX),
]};

static ALTER_CONFIGS_REQUEST: S = S { name: "AlterConfigsRequest", fields: &[
    field("Resources", Array(&Struct(&ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE)), 0, MAX),
    field("ValidateOnly", Scalar(Bool), 0, MAX),
]};

static ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE: S = S { name: "AlterConfigsResource", fields: &[
    field("ResourceType", Scalar(Int8), 0, MAX).key(),
    field("ResourceName", String, 0, MAX).key(),
    field("Configs", Array(&Struct(&ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG)), 0, MAX),
]};

static ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG: S = S { name: "AlterableConfig", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Value", String, 0, MAX).nullable_in(0, MAX),
]};

static ALTER_CONFIGS_RESPONSE: S = S { name: "AlterConfigsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Responses", Array(&Struct(&ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE)), 0, MAX),
]};

static ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE: S = S { name: "AlterConfigsResourceResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST: S = S { name: "AlterPartitionReassignmentsRequest", fields: &[
    field("TimeoutMs", Scalar(Int32), 0, MAX),
    field("AllowReplicationFactorChange", Scalar(Bool), 1, MAX),
    field("Topics", Array(&Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_TOPIC)), 0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_TOPIC: S = S { name: "ReassignableTopic", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_PARTITION)), 0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_PARTITION: S = S { name: "ReassignablePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("Replicas", Array(&Scalar(Int32)), 0, MAX).nullable_in(0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE: S = S { name: "AlterPartitionReassignmentsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("AllowReplicationFactorChange", Scalar(Bool), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Responses", Array(&Struct(&ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_TOPIC_RESPONSE)), 0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_TOPIC_RESPONSE: S = S { name: "ReassignableTopicResponse", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_PARTITION_RESPONSE)), 0, MAX),
]};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_PARTITION_RESPONSE: S = S { name: "ReassignablePartitionResponse", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static ALTER_PARTITION_REQUEST: S = S { name: "AlterPartitionRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
    field("BrokerEpoch", Scalar(Int64), 0, MAX),
    field("Topics", Array(&Struct(&ALTER_PARTITION_REQUEST_TOPIC_DATA)), 0, MAX),
]};

static ALTER_PARTITION_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicId", Scalar(Uuid), 2, MAX),
    field("Partitions", Array(&Struct(&ALTER_PARTITION_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static ALTER_PARTITION_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("NewIsr", Array(&Scalar(Int32)), 0, 2),
    field("NewIsrWithEpochs", Array(&Struct(&ALTER_PARTITION_REQUEST_BROKER_STATE)), 3, MAX),
    field("LeaderRecoveryState", Scalar(Int8), 1, MAX),
    field("PartitionEpoch", Scalar(Int32), 0, MAX),
]};

static ALTER_PARTITION_REQUEST_BROKER_STATE: S = S { name: "BrokerState", fields: &[
    field("BrokerId", Scalar(Int32), 3, MAX),
    field("BrokerEpoch", Scalar(Int64), 3, MAX),
]};

static ALTER_PARTITION_RESPONSE: S = S { name: "AlterPartitionResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&ALTER_PARTITION_RESPONSE_TOPIC_DATA)), 0, MAX),
]};

static ALTER_PARTITION_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicId", Scalar(Uuid), 2, MAX),
    field("Partitions", Array(&Struct(&ALTER_PARTITION_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static ALTER_PARTITION_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("Isr", Array(&Scalar(Int32)), 0, MAX),
    field("LeaderRecoveryState", Scalar(Int8), 1, MAX),
    field("PartitionEpoch", Scalar(Int32), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_REQUEST: S = S { name: "AlterReplicaLogDirsRequest", fields: &[
    field("Dirs", Array(&Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR)), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR: S = S { name: "AlterReplicaLogDir", fields: &[
    field("Path", String, 0, MAX).key(),
    field("Topics", Array(&Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR_TOPIC)), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR_TOPIC: S = S { name: "AlterReplicaLogDirTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_RESPONSE: S = S { name: "AlterReplicaLogDirsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT)), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT: S = S { name: "AlterReplicaLogDirTopicResult", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT)), 0, MAX),
]};

static ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT: S = S { name: "AlterReplicaLogDirPartitionResult", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST: S = S { name: "AlterShareGroupOffsetsRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC)), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: S = S { name: "AlterShareGroupOffsetsRequestTopic", fields: &[
    field("TopicName", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION)), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION: S = S { name: "AlterShareGroupOffsetsRequestPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE: S = S { name: "AlterShareGroupOffsetsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Responses", Array(&Struct(&ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC)), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: S = S { name: "AlterShareGroupOffsetsResponseTopic", fields: &[
    field("TopicName", String, 0, MAX).key(),
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION)), 0, MAX),
]};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: S = S { name: "AlterShareGroupOffsetsResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST: S = S { name: "AlterUserScramCredentialsRequest", fields: &[
    field("Deletions", Array(&Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_DELETION)), 0, MAX),
    field("Upsertions", Array(&Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_UPSERTION)), 0, MAX),
]};

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_DELETION: S = S { name: "ScramCredentialDeletion", fields: &[
    field("Name", String, 0, MAX),
    field("Mechanism", Scalar(Int8), 0, MAX),
]};

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_UPSERTION: S = S { name: "ScramCredentialUpsertion", fields: &[
    field("Name", String, 0, MAX),
    field("Mechanism", Scalar(Int8), 0, MAX),
    field("Iterations", Scalar(Int32), 0, MAX),
    field("Salt", Bytes, 0, MAX),
    field("SaltedPassword", Bytes, 0, MAX),
]};

static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE: S = S { name: "AlterUserScramCredentialsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_ALTER_USER_SCRAM_CREDENTIALS_RESULT)), 0, MAX),
]};

static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_ALTER_USER_SCRAM_CREDENTIALS_RESULT: S = S { name: "AlterUserScramCredentialsResult", fields: &[
    field("User", String, 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static API_VERSIONS_REQUEST: S = S { name: "ApiVersionsRequest", fields: &[
    field("ClientSoftwareName", String, 3, MAX),
    field("ClientSoftwareVersion", String, 3, MAX),
    field("ClusterId", String, 5, MAX).nullable_in(5, MAX),
    field("NodeId", Scalar(Int32), 5, MAX),
]};

static API_VERSIONS_RESPONSE: S = S { name: "ApiVersionsResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ApiKeys", Array(&Struct(&API_VERSIONS_RESPONSE_API_VERSION)), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("SupportedFeatures", Array(&Struct(&API_VERSIONS_RESPONSE_SUPPORTED_FEATURE_KEY)), 3, MAX).tagged(0, 3, MAX),
    field("FinalizedFeaturesEpoch", Scalar(Int64), 3, MAX).tagged(1, 3, MAX),
    field("FinalizedFeatures", Array(&Struct(&API_VERSIONS_RESPONSE_FINALIZED_FEATURE_KEY)), 3, MAX).tagged(2, 3, MAX),
    field("ZkMigrationReady", Scalar(Bool), 3, MAX).tagged(3, 3, MAX),
]};

static API_VERSIONS_RESPONSE_API_VERSION: S = S { name: "ApiVersion", fields: &[
    field("ApiKey", Scalar(Int16), 0, MAX).key(),
    field("MinVersion", Scalar(Int16), 0, MAX),
    field("MaxVersion", Scalar(Int16), 0, MAX),
]};

static API_VERSIONS_RESPONSE_SUPPORTED_FEATURE_KEY: S = S { name: "SupportedFeatureKey", fields: &[
    field("Name", String, 3, MAX).key(),
    field("MinVersion", Scalar(Int16), 3, MAX),
    field("MaxVersion", Scalar(Int16), 3, MAX),
]};

static API_VERSIONS_RESPONSE_FINALIZED_FEATURE_KEY: S = S { name: "FinalizedFeatureKey", fields: &[
    field("Name", String, 3, MAX).key(),
    field("MaxVersionLevel", Scalar(Int16), 3, MAX),
    field("MinVersionLevel", Scalar(Int16), 3, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST: S = S { name: "AssignReplicasToDirsRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
    field("BrokerEpoch", Scalar(Int64), 0, MAX),
    field("Directories", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_DIRECTORY_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_DIRECTORY_DATA: S = S { name: "DirectoryData", fields: &[
    field("Id", Scalar(Uuid), 0, MAX),
    field("Topics", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_TOPIC_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE: S = S { name: "AssignReplicasToDirsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Directories", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_DIRECTORY_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_DIRECTORY_DATA: S = S { name: "DirectoryData", fields: &[
    field("Id", Scalar(Uuid), 0, MAX),
    field("Topics", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_TOPIC_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static BEGIN_QUORUM_EPOCH_REQUEST: S = S { name: "BeginQuorumEpochRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("VoterId", Scalar(Int32), 1, MAX),
    field("Topics", Array(&Struct(&BEGIN_QUORUM_EPOCH_REQUEST_TOPIC_DATA)), 0, MAX),
    field("LeaderEndpoints", Array(&Struct(&BEGIN_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT)), 1, MAX),
]};

static BEGIN_QUORUM_EPOCH_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&BEGIN_QUORUM_EPOCH_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static BEGIN_QUORUM_EPOCH_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 1, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static BEGIN_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT: S = S { name: "LeaderEndpoint", fields: &[
    field("Name", String, 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static BEGIN_QUORUM_EPOCH_RESPONSE: S = S { name: "BeginQuorumEpochResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_TOPIC_DATA)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT)), 1, MAX).tagged(0, 1, MAX),
]};

static BEGIN_QUORUM_EPOCH_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static BEGIN_QUORUM_EPOCH_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static BEGIN_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static BROKER_HEARTBEAT_REQUEST: S = S { name: "BrokerHeartbeatRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
    field("BrokerEpoch", Scalar(Int64), 0, MAX),
    field("CurrentMetadataOffset", Scalar(Int64), 0, MAX),
    field("WantFence", Scalar(Bool), 0, MAX),
    field("WantShutDown", Scalar(Bool), 0, MAX),
    field("OfflineLogDirs", Array(&Scalar(Uuid)), 1, MAX).tagged(0, 1, MAX),
    field("CordonedLogDirs", Array(&Scalar(Uuid)), 2, MAX).nullable_in(2, MAX).tagged(1, 2, MAX),
]};

static BROKER_HEARTBEAT_RESPONSE: S = S { name: "BrokerHeartbeatResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("IsCaughtUp", Scalar(Bool), 0, MAX),
    field("IsFenced", Scalar(Bool), 0, MAX),
    field("ShouldShutDown", Scalar(Bool), 0, MAX),
]};

static BROKER_REGISTRATION_REQUEST: S = S { name: "BrokerRegistrationRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
    field("ClusterId", String, 0, MAX),
    field("IncarnationId", Scalar(Uuid), 0, MAX),
    field("Listeners", Array(&Struct(&BROKER_REGISTRATION_REQUEST_LISTENER)), 0, MAX),
    field("Features", Array(&Struct(&BROKER_REGISTRATION_REQUEST_FEATURE)), 0, MAX),
    field("Rack", String, 0, MAX).nullable_in(0, MAX),
    field("IsMigratingZkBroker", Scalar(Bool), 1, MAX),
    field("LogDirs", Array(&Scalar(Uuid)), 2, MAX),
    field("PreviousBrokerEpoch", Scalar(Int64), 3, MAX),
]};

static BROKER_REGISTRATION_REQUEST_LISTENER: S = S { name: "Listener", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
    field("SecurityProtocol", Scalar(Int16), 0, MAX),
]};

static BROKER_REGISTRATION_REQUEST_FEATURE: S = S { name: "Feature", fields: &[
    field("Name", String, 0, MAX).key(),
    field("MinSupportedVersion", Scalar(Int16), 0, MAX),
    field("MaxSupportedVersion", Scalar(Int16), 0, MAX),
]};

static BROKER_REGISTRATION_RESPONSE: S = S { name: "BrokerRegistrationResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("BrokerEpoch", Scalar(Int64), 0, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_REQUEST: S = S { name: "ConsumerGroupDescribeRequest", fields: &[
    field("GroupIds", Array(&String), 0, MAX),
    field("IncludeAuthorizedOperations", Scalar(Bool), 0, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_RESPONSE: S = S { name: "ConsumerGroupDescribeResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Groups", Array(&Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)), 0, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: S = S { name: "DescribedGroup", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("GroupId", String, 0, MAX),
    field("GroupState", String, 0, MAX),
    field("GroupEpoch", Scalar(Int32), 0, MAX),
    field("AssignmentEpoch", Scalar(Int32), 0, MAX),
    field("AssignorName", String, 0, MAX),
    field("Members", Array(&Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER)), 0, MAX),
    field("AuthorizedOperations", Scalar(Int32), 0, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER: S = S { name: "Member", fields: &[
    field("MemberId", String, 0, MAX),
    field("InstanceId", String, 0, MAX).nullable_in(0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("ClientId", String, 0, MAX),
    field("ClientHost", String, 0, MAX),
    field("SubscribedTopicNames", Array(&String), 0, MAX),
    field("SubscribedTopicRegex", String, 0, MAX).nullable_in(0, MAX),
    field("Assignment", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), 0, MAX),
    field("TargetAssignment", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), 0, MAX),
    field("MemberType", Scalar(Int8), 1, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: S = S { name: "Assignment", fields: &[
    field("TopicPartitions", Array(&Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS)), 0, MAX),
]};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static CONSUMER_GROUP_HEARTBEAT_REQUEST: S = S { name: "ConsumerGroupHeartbeatRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("MemberId", String, 0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("InstanceId", String, 0, MAX).nullable_in(0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("RebalanceTimeoutMs", Scalar(Int32), 0, MAX),
    field("SubscribedTopicNames", Array(&String), 0, MAX).nullable_in(0, MAX),
    field("SubscribedTopicRegex", String, 1, MAX).nullable_in(1, MAX),
    field("ServerAssignor", String, 0, MAX).nullable_in(0, MAX),
    field("TopicPartitions", Array(&Struct(&CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_PARTITIONS)), 0, MAX).nullable_in(0, MAX),
]};

static CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE: S = S { name: "ConsumerGroupHeartbeatResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("MemberId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("HeartbeatIntervalMs", Scalar(Int32), 0, MAX),
    field("Assignment", Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT), 0, MAX).nullable_in(0, MAX),
]};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT: S = S { name: "Assignment", fields: &[
    field("TopicPartitions", Array(&Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS)), 0, MAX),
]};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static CONSUMER_PROTOCOL_ASSIGNMENT: S = S { name: "ConsumerProtocolAssignment", fields: &[
    field("AssignedPartitions", Array(&Struct(&CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_PARTITION)), 0, MAX),
    field("UserData", Bytes, 0, MAX).nullable_in(0, MAX),
]};

static CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_PARTITION: S = S { name: "TopicPartition", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static CONSUMER_PROTOCOL_SUBSCRIPTION: S = S { name: "ConsumerProtocolSubscription", fields: &[
    field("Topics", Array(&String), 0, MAX),
    field("UserData", Bytes, 0, MAX).nullable_in(0, MAX),
    field("OwnedPartitions", Array(&Struct(&CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_PARTITION)), 1, MAX),
    field("GenerationId", Scalar(Int32), 2, MAX),
    field("RackId", String, 3, MAX).nullable_in(3, MAX),
]};

static CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_PARTITION: S = S { name: "TopicPartition", fields: &[
    field("Topic", String, 1, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 1, MAX),
]};

static CONTROL_RECORD_TYPE_SCHEMA: S = S { name: "ControlRecordTypeSchema", fields: &[
    field("Type", Scalar(Int16), 0, MAX),
]};

static CONTROLLED_SHUTDOWN_REQUEST: S = S { name: "ControlledShutdownRequest", fields: &[
]};

static CONTROLLED_SHUTDOWN_RESPONSE: S = S { name: "ControlledShutdownResponse", fields: &[
]};

static CONTROLLER_REGISTRATION_REQUEST: S = S { name: "ControllerRegistrationRequest", fields: &[
    field("ControllerId", Scalar(Int32), 0, MAX),
    field("IncarnationId", Scalar(Uuid), 0, MAX),
    field("ZkMigrationReady", Scalar(Bool), 0, MAX),
    field("Listeners", Array(&Struct(&CONTROLLER_REGISTRATION_REQUEST_LISTENER)), 0, MAX),
    field("Features", Array(&Struct(&CONTROLLER_REGISTRATION_REQUEST_FEATURE)), 0, MAX),
]};

static CONTROLLER_REGISTRATION_REQUEST_LISTENER: S = S { name: "Listener", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
    field("SecurityProtocol", Scalar(Int16), 0, MAX),
]};

static CONTROLLER_REGISTRATION_REQUEST_FEATURE: S = S { name: "Feature", fields: &[
    field("Name", String, 0, MAX).key(),
    field("MinSupportedVersion", Scalar(Int16), 0, MAX),
    field("MaxSupportedVersion", Scalar(Int16), 0, MAX),
]};

static CONTROLLER_REGISTRATION_RESPONSE: S = S { name: "ControllerRegistrationResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static CREATE_ACLS_REQUEST: S = S { name: "CreateAclsRequest", fields: &[
    field("Creations", Array(&Struct(&CREATE_ACLS_REQUEST_ACL_CREATION)), 0, MAX),
]};

static CREATE_ACLS_REQUEST_ACL_CREATION: S = S { name: "AclCreation", fields: &[
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
    field("ResourcePatternType", Scalar(Int8), 1, MAX),
    field("Principal", String, 0, MAX),
    field("Host", String, 0, MAX),
    field("Operation", Scalar(Int8), 0, MAX),
    field("PermissionType", Scalar(Int8), 0, MAX),
]};

static CREATE_ACLS_RESPONSE: S = S { name: "CreateAclsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&CREATE_ACLS_RESPONSE_ACL_CREATION_RESULT)), 0, MAX),
]};

static CREATE_ACLS_RESPONSE_ACL_CREATION_RESULT: S = S { name: "AclCreationResult", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static CREATE_DELEGATION_TOKEN_REQUEST: S = S { name: "CreateDelegationTokenRequest", fields: &[
    field("OwnerPrincipalType", String, 3, MAX).nullable_in(3, MAX),
    field("OwnerPrincipalName", String, 3, MAX).nullable_in(3, MAX),
    field("Renewers", Array(&Struct(&CREATE_DELEGATION_TOKEN_REQUEST_CREATABLE_RENEWERS)), 0, MAX),
    field("MaxLifetimeMs", Scalar(Int64), 0, MAX),
]};

static CREATE_DELEGATION_TOKEN_REQUEST_CREATABLE_RENEWERS: S = S { name: "CreatableRenewers", fields: &[
    field("PrincipalType", String, 0, MAX),
    field("PrincipalName", String, 0, MAX),
]};

static CREATE_DELEGATION_TOKEN_RESPONSE: S = S { name: "CreateDelegationTokenResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("PrincipalType", String, 0, MAX),
    field("PrincipalName", String, 0, MAX),
    field("TokenRequesterPrincipalType", String, 3, MAX),
    field("TokenRequesterPrincipalName", String, 3, MAX),
    field("IssueTimestampMs", Scalar(Int64), 0, MAX),
    field("ExpiryTimestampMs", Scalar(Int64), 0, MAX),
    field("MaxTimestampMs", Scalar(Int64), 0, MAX),
    field("TokenId", String, 0, MAX),
    field("Hmac", Bytes, 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
]};

static CREATE_PARTITIONS_REQUEST: S = S { name: "CreatePartitionsRequest", fields: &[
    field("Topics", Array(&Struct(&CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_TOPIC)), 0, MAX),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
    field("ValidateOnly", Scalar(Bool), 0, MAX),
]};

static CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_TOPIC: S = S { name: "CreatePartitionsTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Count", Scalar(Int32), 0, MAX),
    field("Assignments", Array(&Struct(&CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_ASSIGNMENT)), 0, MAX).nullable_in(0, MAX),
]};

static CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_ASSIGNMENT: S = S { name: "CreatePartitionsAssignment", fields: &[
    field("BrokerIds", Array(&Scalar(Int32)), 0, MAX),
]};

static CREATE_PARTITIONS_RESPONSE: S = S { name: "CreatePartitionsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&CREATE_PARTITIONS_RESPONSE_CREATE_PARTITIONS_TOPIC_RESULT)), 0, MAX),
]};

static CREATE_PARTITIONS_RESPONSE_CREATE_PARTITIONS_TOPIC_RESULT: S = S { name: "CreatePartitionsTopicResult", fields: &[
    field("Name", String, 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static CREATE_TOPICS_REQUEST: S = S { name: "CreateTopicsRequest", fields: &[
    field("Topics", Array(&Struct(&CREATE_TOPICS_REQUEST_CREATABLE_TOPIC)), 0, MAX),
    field("timeoutMs", Scalar(Int32), 0, MAX),
    field("validateOnly", Scalar(Bool), 1, MAX),
]};

static CREATE_TOPICS_REQUEST_CREATABLE_TOPIC: S = S { name: "CreatableTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("NumPartitions", Scalar(Int32), 0, MAX),
    field("ReplicationFactor", Scalar(Int16), 0, MAX),
    field("Assignments", Array(&Struct(&CREATE_TOPICS_REQUEST_CREATABLE_REPLICA_ASSIGNMENT)), 0, MAX),
    field("Configs", Array(&Struct(&CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG)), 0, MAX),
]};

static CREATE_TOPICS_REQUEST_CREATABLE_REPLICA_ASSIGNMENT: S = S { name: "CreatableReplicaAssignment", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("BrokerIds", Array(&Scalar(Int32)), 0, MAX),
]};

static CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG: S = S { name: "CreatableTopicConfig", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Value", String, 0, MAX).nullable_in(0, MAX),
]};

static CREATE_TOPICS_RESPONSE: S = S { name: "CreateTopicsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 2, MAX),
    field("Topics", Array(&Struct(&CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_RESULT)), 0, MAX),
]};

static CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_RESULT: S = S { name: "CreatableTopicResult", fields: &[
    field("Name", String, 0, MAX).key(),
    field("TopicId", Scalar(Uuid), 7, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 1, MAX).nullable_in(0, MAX),
    field("TopicConfigErrorCode", Scalar(Int16), 5, MAX).tagged(0, 5, MAX),
    field("NumPartitions", Scalar(Int32), 5, MAX),
    field("ReplicationFactor", Scalar(Int16), 5, MAX),
    field("Configs", Array(&Struct(&CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_CONFIGS)), 5, MAX).nullable_in(5, MAX),
]};

static CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_CONFIGS: S = S { name: "CreatableTopicConfigs", fields: &[
    field("Name", String, 5, MAX),
    field("Value", String, 5, MAX).nullable_in(5, MAX),
    field("ReadOnly", Scalar(Bool), 5, MAX),
    field("ConfigSource", Scalar(Int8), 5, MAX),
    field("IsSensitive", Scalar(Bool), 5, MAX),
]};

static DEFAULT_PRINCIPAL_DATA: S = S { name: "DefaultPrincipalData", fields: &[
    field("Type", String, 0, MAX),
    field("Name", String, 0, MAX),
    field("TokenAuthenticated", Scalar(Bool), 0, MAX),
]};

static DELETE_ACLS_REQUEST: S = S { name: "DeleteAclsRequest", fields: &[
    field("Filters", Array(&Struct(&DELETE_ACLS_REQUEST_DELETE_ACLS_FILTER)), 0, MAX),
]};

static DELETE_ACLS_REQUEST_DELETE_ACLS_FILTER: S = S { name: "DeleteAclsFilter", fields: &[
    field("ResourceTypeFilter", Scalar(Int8), 0, MAX),
    field("ResourceNameFilter", String, 0, MAX).nullable_in(0, MAX),
    field("PatternTypeFilter", Scalar(Int8), 1, MAX),
    field("PrincipalFilter", String, 0, MAX).nullable_in(0, MAX),
    field("HostFilter", String, 0, MAX).nullable_in(0, MAX),
    field("Operation", Scalar(Int8), 0, MAX),
    field("PermissionType", Scalar(Int8), 0, MAX),
]};

static DELETE_ACLS_RESPONSE: S = S { name: "DeleteAclsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("FilterResults", Array(&Struct(&DELETE_ACLS_RESPONSE_DELETE_ACLS_FILTER_RESULT)), 0, MAX),
]};

static DELETE_ACLS_RESPONSE_DELETE_ACLS_FILTER_RESULT: S = S { name: "DeleteAclsFilterResult", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("MatchingAcls", Array(&Struct(&DELETE_ACLS_RESPONSE_DELETE_ACLS_MATCHING_ACL)), 0, MAX),
]};

static DELETE_ACLS_RESPONSE_DELETE_ACLS_MATCHING_ACL: S = S { name: "DeleteAclsMatchingAcl", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
    field("PatternType", Scalar(Int8), 1, MAX),
    field("Principal", String, 0, MAX),
    field("Host", String, 0, MAX),
    field("Operation", Scalar(Int8), 0, MAX),
    field("PermissionType", Scalar(Int8), 0, MAX),
]};

static DELETE_GROUPS_REQUEST: S = S { name: "DeleteGroupsRequest", fields: &[
    field("GroupsNames", Array(&String), 0, MAX),
]};

static DELETE_GROUPS_RESPONSE: S = S { name: "DeleteGroupsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&DELETE_GROUPS_RESPONSE_DELETABLE_GROUP_RESULT)), 0, MAX),
]};

static DELETE_GROUPS_RESPONSE_DELETABLE_GROUP_RESULT: S = S { name: "DeletableGroupResult", fields: &[
    field("GroupId", String, 0, MAX).key(),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 3, MAX).nullable_in(3, MAX),
]};

static DELETE_RECORDS_REQUEST: S = S { name: "DeleteRecordsRequest", fields: &[
    field("Topics", Array(&Struct(&DELETE_RECORDS_REQUEST_DELETE_RECORDS_TOPIC)), 0, MAX),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
]};

static DELETE_RECORDS_REQUEST_DELETE_RECORDS_TOPIC: S = S { name: "DeleteRecordsTopic", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&DELETE_RECORDS_REQUEST_DELETE_RECORDS_PARTITION)), 0, MAX),
]};

static DELETE_RECORDS_REQUEST_DELETE_RECORDS_PARTITION: S = S { name: "DeleteRecordsPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("Offset", Scalar(Int64), 0, MAX),
]};

static DELETE_RECORDS_RESPONSE: S = S { name: "DeleteRecordsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&DELETE_RECORDS_RESPONSE_DELETE_RECORDS_TOPIC_RESULT)), 0, MAX),
]};

static DELETE_RECORDS_RESPONSE_DELETE_RECORDS_TOPIC_RESULT: S = S { name: "DeleteRecordsTopicResult", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&DELETE_RECORDS_RESPONSE_DELETE_RECORDS_PARTITION_RESULT)), 0, MAX),
]};

static DELETE_RECORDS_RESPONSE_DELETE_RECORDS_PARTITION_RESULT: S = S { name: "DeleteRecordsPartitionResult", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("LowWatermark", Scalar(Int64), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static DELETE_SHARE_GROUP_OFFSETS_REQUEST: S = S { name: "DeleteShareGroupOffsetsRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC)), 0, MAX),
]};

static DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: S = S { name: "DeleteShareGroupOffsetsRequestTopic", fields: &[
    field("TopicName", String, 0, MAX),
]};

static DELETE_SHARE_GROUP_OFFSETS_RESPONSE: S = S { name: "DeleteShareGroupOffsetsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Responses", Array(&Struct(&DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC)), 0, MAX),
]};

static DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: S = S { name: "DeleteShareGroupOffsetsResponseTopic", fields: &[
    field("TopicName", String, 0, MAX),
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_REQUEST: S = S { name: "DeleteShareGroupStateRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_DELETE_STATE_DATA)), 0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_REQUEST_DELETE_STATE_DATA: S = S { name: "DeleteStateData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_RESPONSE: S = S { name: "DeleteShareGroupStateResponse", fields: &[
    field("Results", Array(&Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_DELETE_STATE_RESULT)), 0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_RESPONSE_DELETE_STATE_RESULT: S = S { name: "DeleteStateResult", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static DELETE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static DELETE_TOPICS_REQUEST: S = S { name: "DeleteTopicsRequest", fields: &[
    field("Topics", Array(&Struct(&DELETE_TOPICS_REQUEST_DELETE_TOPIC_STATE)), 6, MAX),
    field("TopicNames", Array(&String), 0, 5),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
]};

static DELETE_TOPICS_REQUEST_DELETE_TOPIC_STATE: S = S { name: "DeleteTopicState", fields: &[
    field("Name", String, 6, MAX).nullable_in(6, MAX),
    field("TopicId", Scalar(Uuid), 6, MAX),
]};

static DELETE_TOPICS_RESPONSE: S = S { name: "DeleteTopicsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("Responses", Array(&Struct(&DELETE_TOPICS_RESPONSE_DELETABLE_TOPIC_RESULT)), 0, MAX),
]};

static DELETE_TOPICS_RESPONSE_DELETABLE_TOPIC_RESULT: S = S { name: "DeletableTopicResult", fields: &[
    field("Name", String, 0, MAX).nullable_in(6, MAX).key(),
    field("TopicId", Scalar(Uuid), 6, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 5, MAX).nullable_in(5, MAX),
]};

static DESCRIBE_ACLS_REQUEST: S = S { name: "DescribeAclsRequest", fields: &[
    field("ResourceTypeFilter", Scalar(Int8), 0, MAX),
    field("ResourceNameFilter", String, 0, MAX).nullable_in(0, MAX),
    field("PatternTypeFilter", Scalar(Int8), 1, MAX),
    field("PrincipalFilter", String, 0, MAX).nullable_in(0, MAX),
    field("HostFilter", String, 0, MAX).nullable_in(0, MAX),
    field("Operation", Scalar(Int8), 0, MAX),
    field("PermissionType", Scalar(Int8), 0, MAX),
]};

static DESCRIBE_ACLS_RESPONSE: S = S { name: "DescribeAclsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Resources", Array(&Struct(&DESCRIBE_ACLS_RESPONSE_DESCRIBE_ACLS_RESOURCE)), 0, MAX),
]};

static DESCRIBE_ACLS_RESPONSE_DESCRIBE_ACLS_RESOURCE: S = S { name: "DescribeAclsResource", fields: &[
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
    field("PatternType", Scalar(Int8), 1, MAX),
    field("Acls", Array(&Struct(&DESCRIBE_ACLS_RESPONSE_ACL_DESCRIPTION)), 0, MAX),
]};

static DESCRIBE_ACLS_RESPONSE_ACL_DESCRIPTION: S = S { name: "AclDescription", fields: &[
    field("Principal", String, 0, MAX),
    field("Host", String, 0, MAX),
    field("Operation", Scalar(Int8), 0, MAX),
    field("PermissionType", Scalar(Int8), 0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_REQUEST: S = S { name: "DescribeClientQuotasRequest", fields: &[
    field("Components", Array(&Struct(&DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_DATA)), 0, MAX),
    field("Strict", Scalar(Bool), 0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_DATA: S = S { name: "ComponentData", fields: &[
    field("EntityType", String, 0, MAX),
    field("MatchType", Scalar(Int8), 0, MAX),
    field("Match", String, 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE: S = S { name: "DescribeClientQuotasResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Entries", Array(&Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA)), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA: S = S { name: "EntryData", fields: &[
    field("Entity", Array(&Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA)), 0, MAX),
    field("Values", Array(&Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_DATA)), 0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA: S = S { name: "EntityData", fields: &[
    field("EntityType", String, 0, MAX),
    field("EntityName", String, 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_DATA: S = S { name: "ValueData", fields: &[
    field("Key", String, 0, MAX),
    field("Value", Scalar(Float64), 0, MAX),
]};

static DESCRIBE_CLUSTER_REQUEST: S = S { name: "DescribeClusterRequest", fields: &[
    field("IncludeClusterAuthorizedOperations", Scalar(Bool), 0, MAX),
    field("EndpointType", Scalar(Int8), 1, MAX),
    field("IncludeFencedBrokers", Scalar(Bool), 2, MAX),
]};

static DESCRIBE_CLUSTER_RESPONSE: S = S { name: "DescribeClusterResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("EndpointType", Scalar(Int8), 1, MAX),
    field("ClusterId", String, 0, MAX),
    field("ControllerId", Scalar(Int32), 0, MAX),
    field("Brokers", Array(&Struct(&DESCRIBE_CLUSTER_RESPONSE_DESCRIBE_CLUSTER_BROKER)), 0, MAX),
    field("ClusterAuthorizedOperations", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_CLUSTER_RESPONSE_DESCRIBE_CLUSTER_BROKER: S = S { name: "DescribeClusterBroker", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Int32), 0, MAX),
    field("Rack", String, 0, MAX).nullable_in(0, MAX),
    field("IsFenced", Scalar(Bool), 2, MAX),
]};

static DESCRIBE_CONFIGS_REQUEST: S = S { name: "DescribeConfigsRequest", fields: &[
    field("Resources", Array(&Struct(&DESCRIBE_CONFIGS_REQUEST_DESCRIBE_CONFIGS_RESOURCE)), 0, MAX),
    field("IncludeSynonyms", Scalar(Bool), 1, MAX),
    field("IncludeDocumentation", Scalar(Bool), 3, MAX),
]};

static DESCRIBE_CONFIGS_REQUEST_DESCRIBE_CONFIGS_RESOURCE: S = S { name: "DescribeConfigsResource", fields: &[
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
    field("ConfigurationKeys", Array(&String), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_CONFIGS_RESPONSE: S = S { name: "DescribeConfigsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Results", Array(&Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESULT)), 0, MAX),
]};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESULT: S = S { name: "DescribeConfigsResult", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
    field("Configs", Array(&Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESOURCE_RESULT)), 0, MAX),
]};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESOURCE_RESULT: S = S { name: "DescribeConfigsResourceResult", fields: &[
    field("Name", String, 0, MAX),
    field("Value", String, 0, MAX).nullable_in(0, MAX),
    field("ReadOnly", Scalar(Bool), 0, MAX),
    field("ConfigSource", Scalar(Int8), 1, MAX),
    field("IsSensitive", Scalar(Bool), 0, MAX),
    field("Synonyms", Array(&Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_SYNONYM)), 1, MAX),
    field("ConfigType", Scalar(Int8), 3, MAX),
    field("Documentation", String, 3, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_SYNONYM: S = S { name: "DescribeConfigsSynonym", fields: &[
    field("Name", String, 1, MAX),
    field("Value", String, 1, MAX).nullable_in(0, MAX),
    field("Source", Scalar(Int8), 1, MAX),
]};

static DESCRIBE_DELEGATION_TOKEN_REQUEST: S = S { name: "DescribeDelegationTokenRequest", fields: &[
    field("Owners", Array(&Struct(&DESCRIBE_DELEGATION_TOKEN_REQUEST_DESCRIBE_DELEGATION_TOKEN_OWNER)), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_DELEGATION_TOKEN_REQUEST_DESCRIBE_DELEGATION_TOKEN_OWNER: S = S { name: "DescribeDelegationTokenOwner", fields: &[
    field("PrincipalType", String, 0, MAX),
    field("PrincipalName", String, 0, MAX),
]};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE: S = S { name: "DescribeDelegationTokenResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Tokens", Array(&Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN)), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN: S = S { name: "DescribedDelegationToken", fields: &[
    field("PrincipalType", String, 0, MAX),
    field("PrincipalName", String, 0, MAX),
    field("TokenRequesterPrincipalType", String, 3, MAX),
    field("TokenRequesterPrincipalName", String, 3, MAX),
    field("IssueTimestamp", Scalar(Int64), 0, MAX),
    field("ExpiryTimestamp", Scalar(Int64), 0, MAX),
    field("MaxTimestamp", Scalar(Int64), 0, MAX),
    field("TokenId", String, 0, MAX),
    field("Hmac", Bytes, 0, MAX),
    field("Renewers", Array(&Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN_RENEWER)), 0, MAX),
]};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN_RENEWER: S = S { name: "DescribedDelegationTokenRenewer", fields: &[
    field("PrincipalType", String, 0, MAX),
    field("PrincipalName", String, 0, MAX),
]};

static DESCRIBE_GROUPS_REQUEST: S = S { name: "DescribeGroupsRequest", fields: &[
    field("Groups", Array(&String), 0, MAX),
    field("IncludeAuthorizedOperations", Scalar(Bool), 3, MAX),
]};

static DESCRIBE_GROUPS_RESPONSE: S = S { name: "DescribeGroupsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("Groups", Array(&Struct(&DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP)), 0, MAX),
]};

static DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP: S = S { name: "DescribedGroup", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 6, MAX).nullable_in(6, MAX),
    field("GroupId", String, 0, MAX),
    field("GroupState", String, 0, MAX),
    field("ProtocolType", String, 0, MAX),
    field("ProtocolData", String, 0, MAX),
    field("Members", Array(&Struct(&DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP_MEMBER)), 0, MAX),
    field("AuthorizedOperations", Scalar(Int32), 3, MAX),
]};

static DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP_MEMBER: S = S { name: "DescribedGroupMember", fields: &[
    field("MemberId", String, 0, MAX),
    field("GroupInstanceId", String, 4, MAX).nullable_in(4, MAX),
    field("ClientId", String, 0, MAX),
    field("ClientHost", String, 0, MAX),
    field("MemberMetadata", Bytes, 0, MAX),
    field("MemberAssignment", Bytes, 0, MAX),
]};

static DESCRIBE_LOG_DIRS_REQUEST: S = S { name: "DescribeLogDirsRequest", fields: &[
    field("Topics", Array(&Struct(&DESCRIBE_LOG_DIRS_REQUEST_DESCRIBABLE_LOG_DIR_TOPIC)), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_LOG_DIRS_REQUEST_DESCRIBABLE_LOG_DIR_TOPIC: S = S { name: "DescribableLogDirTopic", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static DESCRIBE_LOG_DIRS_RESPONSE: S = S { name: "DescribeLogDirsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 3, MAX),
    field("Results", Array(&Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_RESULT)), 0, MAX),
]};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_RESULT: S = S { name: "DescribeLogDirsResult", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("LogDir", String, 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_TOPIC)), 0, MAX),
    field("TotalBytes", Scalar(Int64), 4, MAX),
    field("UsableBytes", Scalar(Int64), 4, MAX),
    field("IsCordoned", Scalar(Bool), 5, MAX),
]};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_TOPIC: S = S { name: "DescribeLogDirsTopic", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_PARTITION)), 0, MAX),
]};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_PARTITION: S = S { name: "DescribeLogDirsPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("PartitionSize", Scalar(Int64), 0, MAX),
    field("OffsetLag", Scalar(Int64), 0, MAX),
    field("IsFutureKey", Scalar(Bool), 0, MAX),
]};

static DESCRIBE_PRODUCERS_REQUEST: S = S { name: "DescribeProducersRequest", fields: &[
    field("Topics", Array(&Struct(&DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST)), 0, MAX),
]};

static DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST: S = S { name: "TopicRequest", fields: &[
    field("Name", String, 0, MAX).key(),
    field("PartitionIndexes", Array(&Scalar(Int32)), 0, MAX),
]};

static DESCRIBE_PRODUCERS_RESPONSE: S = S { name: "DescribeProducersResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_PRODUCERS_RESPONSE_TOPIC_RESPONSE)), 0, MAX),
]};

static DESCRIBE_PRODUCERS_RESPONSE_TOPIC_RESPONSE: S = S { name: "TopicResponse", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_PRODUCERS_RESPONSE_PARTITION_RESPONSE)), 0, MAX),
]};

static DESCRIBE_PRODUCERS_RESPONSE_PARTITION_RESPONSE: S = S { name: "PartitionResponse", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("ActiveProducers", Array(&Struct(&DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_STATE)), 0, MAX),
]};

static DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_STATE: S = S { name: "ProducerState", fields: &[
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int32), 0, MAX),
    field("LastSequence", Scalar(Int32), 0, MAX),
    field("LastTimestamp", Scalar(Int64), 0, MAX),
    field("CoordinatorEpoch", Scalar(Int32), 0, MAX),
    field("CurrentTxnStartOffset", Scalar(Int64), 0, MAX),
]};

static DESCRIBE_QUORUM_REQUEST: S = S { name: "DescribeQuorumRequest", fields: &[
    field("Topics", Array(&Struct(&DESCRIBE_QUORUM_REQUEST_TOPIC_DATA)), 0, MAX),
]};

static DESCRIBE_QUORUM_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_QUORUM_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static DESCRIBE_QUORUM_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE: S = S { name: "DescribeQuorumResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 2, MAX).nullable_in(2, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_TOPIC_DATA)), 0, MAX),
    field("Nodes", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_NODE)), 2, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 2, MAX).nullable_in(2, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("HighWatermark", Scalar(Int64), 0, MAX),
    field("CurrentVoters", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE)), 0, MAX),
    field("Observers", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE)), 0, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE: S = S { name: "ReplicaState", fields: &[
    field("ReplicaId", Scalar(Int32), 0, MAX),
    field("ReplicaDirectoryId", Scalar(Uuid), 2, MAX),
    field("LogEndOffset", Scalar(Int64), 0, MAX),
    field("LastFetchTimestamp", Scalar(Int64), 1, MAX),
    field("LastCaughtUpTimestamp", Scalar(Int64), 1, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE_NODE: S = S { name: "Node", fields: &[
    field("NodeId", Scalar(Int32), 2, MAX).key(),
    field("Listeners", Array(&Struct(&DESCRIBE_QUORUM_RESPONSE_LISTENER)), 2, MAX),
]};

static DESCRIBE_QUORUM_RESPONSE_LISTENER: S = S { name: "Listener", fields: &[
    field("Name", String, 2, MAX).key(),
    field("Host", String, 2, MAX),
    field("Port", Scalar(Uint16), 2, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST: S = S { name: "DescribeShareGroupOffsetsRequest", fields: &[
    field("Groups", Array(&Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP)), 0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP: S = S { name: "DescribeShareGroupOffsetsRequestGroup", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC)), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: S = S { name: "DescribeShareGroupOffsetsRequestTopic", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE: S = S { name: "DescribeShareGroupOffsetsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Groups", Array(&Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP)), 0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP: S = S { name: "DescribeShareGroupOffsetsResponseGroup", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC)), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: S = S { name: "DescribeShareGroupOffsetsResponseTopic", fields: &[
    field("TopicName", String, 0, MAX),
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION)), 0, MAX),
]};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: S = S { name: "DescribeShareGroupOffsetsResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("Lag", Scalar(Int64), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST: S = S { name: "DescribeTopicPartitionsRequest", fields: &[
    field("Topics", Array(&Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_REQUEST)), 0, MAX),
    field("ResponsePartitionLimit", Scalar(Int32), 0, MAX),
    field("Cursor", Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_REQUEST: S = S { name: "TopicRequest", fields: &[
    field("Name", String, 0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR: S = S { name: "Cursor", fields: &[
    field("TopicName", String, 0, MAX),
    field("PartitionIndex", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE: S = S { name: "DescribeTopicPartitionsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC)), 0, MAX),
    field("NextCursor", Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC: S = S { name: "DescribeTopicPartitionsResponseTopic", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Name", String, 0, MAX).nullable_in(0, MAX).key(),
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("IsInternal", Scalar(Bool), 0, MAX),
    field("Partitions", Array(&Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION)), 0, MAX),
    field("TopicAuthorizedOperations", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION: S = S { name: "DescribeTopicPartitionsResponsePartition", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("ReplicaNodes", Array(&Scalar(Int32)), 0, MAX),
    field("IsrNodes", Array(&Scalar(Int32)), 0, MAX),
    field("EligibleLeaderReplicas", Array(&Scalar(Int32)), 0, MAX).nullable_in(0, MAX),
    field("LastKnownElr", Array(&Scalar(Int32)), 0, MAX).nullable_in(0, MAX),
    field("OfflineReplicas", Array(&Scalar(Int32)), 0, MAX),
]};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR: S = S { name: "Cursor", fields: &[
    field("TopicName", String, 0, MAX),
    field("PartitionIndex", Scalar(Int32), 0, MAX),
]};

static DESCRIBE_TRANSACTIONS_REQUEST: S = S { name: "DescribeTransactionsRequest", fields: &[
    field("TransactionalIds", Array(&String), 0, MAX),
]};

static DESCRIBE_TRANSACTIONS_RESPONSE: S = S { name: "DescribeTransactionsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("TransactionStates", Array(&Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)), 0, MAX),
]};

static DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE: S = S { name: "TransactionState", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("TransactionalId", String, 0, MAX),
    field("TransactionState", String, 0, MAX),
    field("TransactionTimeoutMs", Scalar(Int32), 0, MAX),
    field("TransactionStartTimeMs", Scalar(Int64), 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_DATA)), 0, MAX),
]};

static DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST: S = S { name: "DescribeUserScramCredentialsRequest", fields: &[
    field("Users", Array(&Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER_NAME)), 0, MAX).nullable_in(0, MAX),
]};

static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER_NAME: S = S { name: "UserName", fields: &[
    field("Name", String, 0, MAX),
]};

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE: S = S { name: "DescribeUserScramCredentialsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Results", Array(&Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT)), 0, MAX),
]};

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT: S = S { name: "DescribeUserScramCredentialsResult", fields: &[
    field("User", String, 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("CredentialInfos", Array(&Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO)), 0, MAX),
]};

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO: S = S { name: "CredentialInfo", fields: &[
    field("Mechanism", Scalar(Int8), 0, MAX),
    field("Iterations", Scalar(Int32), 0, MAX),
]};

static ELECT_LEADERS_REQUEST: S = S { name: "ElectLeadersRequest", fields: &[
    field("ElectionType", Scalar(Int8), 1, MAX),
    field("TopicPartitions", Array(&Struct(&ELECT_LEADERS_REQUEST_TOPIC_PARTITIONS)), 0, MAX).nullable_in(0, MAX),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
]};

static ELECT_LEADERS_REQUEST_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static ELECT_LEADERS_RESPONSE: S = S { name: "ElectLeadersResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 1, MAX),
    field("ReplicaElectionResults", Array(&Struct(&ELECT_LEADERS_RESPONSE_REPLICA_ELECTION_RESULT)), 0, MAX),
]};

static ELECT_LEADERS_RESPONSE_REPLICA_ELECTION_RESULT: S = S { name: "ReplicaElectionResult", fields: &[
    field("Topic", String, 0, MAX),
    field("PartitionResult", Array(&Struct(&ELECT_LEADERS_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static ELECT_LEADERS_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("PartitionId", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static END_QUORUM_EPOCH_REQUEST: S = S { name: "EndQuorumEpochRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("Topics", Array(&Struct(&END_QUORUM_EPOCH_REQUEST_TOPIC_DATA)), 0, MAX),
    field("LeaderEndpoints", Array(&Struct(&END_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT)), 1, MAX),
]};

static END_QUORUM_EPOCH_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&END_QUORUM_EPOCH_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static END_QUORUM_EPOCH_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("PreferredSuccessors", Array(&Scalar(Int32)), 0, 0),
    field("PreferredCandidates", Array(&Struct(&END_QUORUM_EPOCH_REQUEST_REPLICA_INFO)), 1, MAX),
]};

static END_QUORUM_EPOCH_REQUEST_REPLICA_INFO: S = S { name: "ReplicaInfo", fields: &[
    field("CandidateId", Scalar(Int32), 1, MAX),
    field("CandidateDirectoryId", Scalar(Uuid), 1, MAX),
]};

static END_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT: S = S { name: "LeaderEndpoint", fields: &[
    field("Name", String, 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static END_QUORUM_EPOCH_RESPONSE: S = S { name: "EndQuorumEpochResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&END_QUORUM_EPOCH_RESPONSE_TOPIC_DATA)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&END_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT)), 1, MAX).tagged(0, 1, MAX),
]};

static END_QUORUM_EPOCH_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&END_QUORUM_EPOCH_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static END_QUORUM_EPOCH_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static END_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static END_TXN_MARKER: S = S { name: "EndTxnMarker", fields: &[
    field("CoordinatorEpoch", Scalar(Int32), 0, MAX),
]};

static END_TXN_REQUEST: S = S { name: "EndTxnRequest", fields: &[
    field("TransactionalId", String, 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("Committed", Scalar(Bool), 0, MAX),
]};

static END_TXN_RESPONSE: S = S { name: "EndTxnResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ProducerId", Scalar(Int64), 5, MAX),
    field("ProducerEpoch", Scalar(Int16), 5, MAX),
]};

static ENVELOPE_REQUEST: S = S { name: "EnvelopeRequest", fields: &[
    field("RequestData", Bytes, 0, MAX),
    field("RequestPrincipal", Bytes, 0, MAX).nullable_in(0, MAX),
    field("ClientHostAddress", Bytes, 0, MAX),
]};

static ENVELOPE_RESPONSE: S = S { name: "EnvelopeResponse", fields: &[
    field("ResponseData", Bytes, 0, MAX).nullable_in(0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static EXPIRE_DELEGATION_TOKEN_REQUEST: S = S { name: "ExpireDelegationTokenRequest", fields: &[
    field("Hmac", Bytes, 0, MAX),
    field("ExpiryTimePeriodMs", Scalar(Int64), 0, MAX),
]};

static EXPIRE_DELEGATION_TOKEN_RESPONSE: S = S { name: "ExpireDelegationTokenResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ExpiryTimestampMs", Scalar(Int64), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
]};

static FETCH_REQUEST: S = S { name: "FetchRequest", fields: &[
    field("ClusterId", String, 12, MAX).nullable_in(12, MAX).tagged(0, 12, MAX),
    field("ReplicaId", Scalar(Int32), 0, 14),
    field("ReplicaState", Struct(&FETCH_REQUEST_REPLICA_STATE), 15, MAX).tagged(1, 15, MAX),
    field("MaxWaitMs", Scalar(Int32), 0, MAX),
    field("MinBytes", Scalar(Int32), 0, MAX),
    field("MaxBytes", Scalar(Int32), 3, MAX),
    field("IsolationLevel", Scalar(Int8), 4, MAX),
    field("SessionId", Scalar(Int32), 7, MAX),
    field("SessionEpoch", Scalar(Int32), 7, MAX),
    field("Topics", Array(&Struct(&FETCH_REQUEST_FETCH_TOPIC)), 0, MAX),
    field("ForgottenTopicsData", Array(&Struct(&FETCH_REQUEST_FORGOTTEN_TOPIC)), 7, MAX),
    field("RackId", String, 11, MAX),
]};

static FETCH_REQUEST_REPLICA_STATE: S = S { name: "ReplicaState", fields: &[
    field("ReplicaId", Scalar(Int32), 15, MAX),
    field("ReplicaEpoch", Scalar(Int64), 15, MAX),
]};

static FETCH_REQUEST_FETCH_TOPIC: S = S { name: "FetchTopic", fields: &[
    field("Topic", String, 0, 12),
    field("TopicId", Scalar(Uuid), 13, MAX),
    field("Partitions", Array(&Struct(&FETCH_REQUEST_FETCH_PARTITION)), 0, MAX),
]};

static FETCH_REQUEST_FETCH_PARTITION: S = S { name: "FetchPartition", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("CurrentLeaderEpoch", Scalar(Int32), 9, MAX),
    field("FetchOffset", Scalar(Int64), 0, MAX),
    field("LastFetchedEpoch", Scalar(Int32), 12, MAX),
    field("LogStartOffset", Scalar(Int64), 5, MAX),
    field("PartitionMaxBytes", Scalar(Int32), 0, MAX),
    field("ReplicaDirectoryId", Scalar(Uuid), 17, MAX).tagged(0, 17, MAX),
    field("HighWatermark", Scalar(Int64), 18, MAX).tagged(1, 18, MAX),
]};

static FETCH_REQUEST_FORGOTTEN_TOPIC: S = S { name: "ForgottenTopic", fields: &[
    field("Topic", String, 7, 12),
    field("TopicId", Scalar(Uuid), 13, MAX),
    field("Partitions", Array(&Scalar(Int32)), 7, MAX),
]};

static FETCH_RESPONSE: S = S { name: "FetchResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 7, MAX),
    field("SessionId", Scalar(Int32), 7, MAX),
    field("Responses", Array(&Struct(&FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&FETCH_RESPONSE_NODE_ENDPOINT)), 16, MAX).tagged(0, 16, MAX),
]};

static FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE: S = S { name: "FetchableTopicResponse", fields: &[
    field("Topic", String, 0, 12),
    field("TopicId", Scalar(Uuid), 13, MAX),
    field("Partitions", Array(&Struct(&FETCH_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static FETCH_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("HighWatermark", Scalar(Int64), 0, MAX),
    field("LastStableOffset", Scalar(Int64), 4, MAX),
    field("LogStartOffset", Scalar(Int64), 5, MAX),
    field("DivergingEpoch", Struct(&FETCH_RESPONSE_EPOCH_END_OFFSET), 12, MAX).tagged(0, 12, MAX),
    field("CurrentLeader", Struct(&FETCH_RESPONSE_LEADER_ID_AND_EPOCH), 12, MAX).tagged(1, 12, MAX),
    field("SnapshotId", Struct(&FETCH_RESPONSE_SNAPSHOT_ID), 12, MAX).tagged(2, 12, MAX),
    field("AbortedTransactions", Array(&Struct(&FETCH_RESPONSE_ABORTED_TRANSACTION)), 4, MAX).nullable_in(4, MAX),
    field("PreferredReadReplica", Scalar(Int32), 11, MAX),
    field("Records", Records, 0, MAX).nullable_in(0, MAX),
]};

static FETCH_RESPONSE_EPOCH_END_OFFSET: S = S { name: "EpochEndOffset", fields: &[
    field("Epoch", Scalar(Int32), 12, MAX),
    field("EndOffset", Scalar(Int64), 12, MAX),
]};

static FETCH_RESPONSE_LEADER_ID_AND_EPOCH: S = S { name: "LeaderIdAndEpoch", fields: &[
    field("LeaderId", Scalar(Int32), 12, MAX),
    field("LeaderEpoch", Scalar(Int32), 12, MAX),
]};

static FETCH_RESPONSE_SNAPSHOT_ID: S = S { name: "SnapshotId", fields: &[
    field("EndOffset", Scalar(Int64), 0, MAX),
    field("Epoch", Scalar(Int32), 0, MAX),
]};

static FETCH_RESPONSE_ABORTED_TRANSACTION: S = S { name: "AbortedTransaction", fields: &[
    field("ProducerId", Scalar(Int64), 4, MAX),
    field("FirstOffset", Scalar(Int64), 4, MAX),
]};

static FETCH_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 16, MAX).key(),
    field("Host", String, 16, MAX),
    field("Port", Scalar(Int32), 16, MAX),
    field("Rack", String, 16, MAX).nullable_in(16, MAX),
]};

static FETCH_SNAPSHOT_REQUEST: S = S { name: "FetchSnapshotRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX).tagged(0, 0, MAX),
    field("ReplicaId", Scalar(Int32), 0, MAX),
    field("MaxBytes", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&FETCH_SNAPSHOT_REQUEST_TOPIC_SNAPSHOT)), 0, MAX),
]};

static FETCH_SNAPSHOT_REQUEST_TOPIC_SNAPSHOT: S = S { name: "TopicSnapshot", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&FETCH_SNAPSHOT_REQUEST_PARTITION_SNAPSHOT)), 0, MAX),
]};

static FETCH_SNAPSHOT_REQUEST_PARTITION_SNAPSHOT: S = S { name: "PartitionSnapshot", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("CurrentLeaderEpoch", Scalar(Int32), 0, MAX),
    field("SnapshotId", Struct(&FETCH_SNAPSHOT_REQUEST_SNAPSHOT_ID), 0, MAX),
    field("Position", Scalar(Int64), 0, MAX),
    field("ReplicaDirectoryId", Scalar(Uuid), 1, MAX).tagged(0, 1, MAX),
]};

static FETCH_SNAPSHOT_REQUEST_SNAPSHOT_ID: S = S { name: "SnapshotId", fields: &[
    field("EndOffset", Scalar(Int64), 0, MAX),
    field("Epoch", Scalar(Int32), 0, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE: S = S { name: "FetchSnapshotResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&FETCH_SNAPSHOT_RESPONSE_TOPIC_SNAPSHOT)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&FETCH_SNAPSHOT_RESPONSE_NODE_ENDPOINT)), 1, MAX).tagged(0, 1, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE_TOPIC_SNAPSHOT: S = S { name: "TopicSnapshot", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&FETCH_SNAPSHOT_RESPONSE_PARTITION_SNAPSHOT)), 0, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE_PARTITION_SNAPSHOT: S = S { name: "PartitionSnapshot", fields: &[
    field("Index", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("SnapshotId", Struct(&FETCH_SNAPSHOT_RESPONSE_SNAPSHOT_ID), 0, MAX),
    field("CurrentLeader", Struct(&FETCH_SNAPSHOT_RESPONSE_LEADER_ID_AND_EPOCH), 0, MAX).tagged(0, 0, MAX),
    field("Size", Scalar(Int64), 0, MAX),
    field("Position", Scalar(Int64), 0, MAX),
    field("UnalignedRecords", Records, 0, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE_SNAPSHOT_ID: S = S { name: "SnapshotId", fields: &[
    field("EndOffset", Scalar(Int64), 0, MAX),
    field("Epoch", Scalar(Int32), 0, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE_LEADER_ID_AND_EPOCH: S = S { name: "LeaderIdAndEpoch", fields: &[
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static FETCH_SNAPSHOT_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static FIND_COORDINATOR_REQUEST: S = S { name: "FindCoordinatorRequest", fields: &[
    field("Key", String, 0, 3),
    field("KeyType", Scalar(Int8), 1, MAX),
    field("CoordinatorKeys", Array(&String), 4, MAX),
]};

static FIND_COORDINATOR_RESPONSE: S = S { name: "FindCoordinatorResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, 3),
    field("ErrorMessage", String, 1, 3).nullable_in(1, 3),
    field("NodeId", Scalar(Int32), 0, 3),
    field("Host", String, 0, 3),
    field("Port", Scalar(Int32), 0, 3),
    field("Coordinators", Array(&Struct(&FIND_COORDINATOR_RESPONSE_COORDINATOR)), 4, MAX),
]};

static FIND_COORDINATOR_RESPONSE_COORDINATOR: S = S { name: "Coordinator", fields: &[
    field("Key", String, 4, MAX),
    field("NodeId", Scalar(Int32), 4, MAX),
    field("Host", String, 4, MAX),
    field("Port", Scalar(Int32), 4, MAX),
    field("ErrorCode", Scalar(Int16), 4, MAX),
    field("ErrorMessage", String, 4, MAX).nullable_in(4, MAX),
]};

static GET_TELEMETRY_SUBSCRIPTIONS_REQUEST: S = S { name: "GetTelemetrySubscriptionsRequest", fields: &[
    field("ClientInstanceId", Scalar(Uuid), 0, MAX),
]};

static GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE: S = S { name: "GetTelemetrySubscriptionsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ClientInstanceId", Scalar(Uuid), 0, MAX),
    field("SubscriptionId", Scalar(Int32), 0, MAX),
    field("AcceptedCompressionTypes", Array(&Scalar(Int8)), 0, MAX),
    field("PushIntervalMs", Scalar(Int32), 0, MAX),
    field("TelemetryMaxBytes", Scalar(Int32), 0, MAX),
    field("DeltaTemporality", Scalar(Bool), 0, MAX),
    field("RequestedMetrics", Array(&String), 0, MAX),
]};

static HEARTBEAT_REQUEST: S = S { name: "HeartbeatRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("GenerationId", Scalar(Int32), 0, MAX),
    field("MemberId", String, 0, MAX),
    field("GroupInstanceId", String, 3, MAX).nullable_in(3, MAX),
]};

static HEARTBEAT_RESPONSE: S = S { name: "HeartbeatResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static INCREMENTAL_ALTER_CONFIGS_REQUEST: S = S { name: "IncrementalAlterConfigsRequest", fields: &[
    field("Resources", Array(&Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE)), 0, MAX),
    field("ValidateOnly", Scalar(Bool), 0, MAX),
]};

static INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE: S = S { name: "AlterConfigsResource", fields: &[
    field("ResourceType", Scalar(Int8), 0, MAX).key(),
    field("ResourceName", String, 0, MAX).key(),
    field("Configs", Array(&Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG)), 0, MAX),
]};

static INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG: S = S { name: "AlterableConfig", fields: &[
    field("Name", String, 0, MAX).key(),
    field("ConfigOperation", Scalar(Int8), 0, MAX).key(),
    field("Value", String, 0, MAX).nullable_in(0, MAX),
]};

static INCREMENTAL_ALTER_CONFIGS_RESPONSE: S = S { name: "IncrementalAlterConfigsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Responses", Array(&Struct(&INCREMENTAL_ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE)), 0, MAX),
]};

static INCREMENTAL_ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE: S = S { name: "AlterConfigsResourceResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("ResourceType", Scalar(Int8), 0, MAX),
    field("ResourceName", String, 0, MAX),
]};

static INIT_PRODUCER_ID_REQUEST: S = S { name: "InitProducerIdRequest", fields: &[
    field("TransactionalId", String, 0, MAX).nullable_in(0, MAX),
    field("TransactionTimeoutMs", Scalar(Int32), 0, MAX),
    field("ProducerId", Scalar(Int64), 3, MAX),
    field("ProducerEpoch", Scalar(Int16), 3, MAX),
    field("Enable2Pc", Scalar(Bool), 6, MAX),
    field("KeepPreparedTxn", Scalar(Bool), 6, MAX),
]};

static INIT_PRODUCER_ID_RESPONSE: S = S { name: "InitProducerIdResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("OngoingTxnProducerId", Scalar(Int64), 6, MAX),
    field("OngoingTxnProducerEpoch", Scalar(Int16), 6, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST: S = S { name: "InitializeShareGroupStateRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_INITIALIZE_STATE_DATA)), 0, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST_INITIALIZE_STATE_DATA: S = S { name: "InitializeStateData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("StateEpoch", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE: S = S { name: "InitializeShareGroupStateResponse", fields: &[
    field("Results", Array(&Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_INITIALIZE_STATE_RESULT)), 0, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_INITIALIZE_STATE_RESULT: S = S { name: "InitializeStateResult", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static JOIN_GROUP_REQUEST: S = S { name: "JoinGroupRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("SessionTimeoutMs", Scalar(Int32), 0, MAX),
    field("RebalanceTimeoutMs", Scalar(Int32), 1, MAX),
    field("MemberId", String, 0, MAX),
    field("GroupInstanceId", String, 5, MAX).nullable_in(5, MAX),
    field("ProtocolType", String, 0, MAX),
    field("Protocols", Array(&Struct(&JOIN_GROUP_REQUEST_PROTOCOL)), 0, MAX),
    field("Reason", String, 8, MAX).nullable_in(8, MAX),
]};

static JOIN_GROUP_REQUEST_PROTOCOL: S = S { name: "JoinGroupRequestProtocol", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Metadata", Bytes, 0, MAX),
]};

static JOIN_GROUP_RESPONSE: S = S { name: "JoinGroupResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 2, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("GenerationId", Scalar(Int32), 0, MAX),
    field("ProtocolType", String, 7, MAX).nullable_in(7, MAX),
    field("ProtocolName", String, 0, MAX).nullable_in(7, MAX),
    field("Leader", String, 0, MAX),
    field("SkipAssignment", Scalar(Bool), 9, MAX),
    field("MemberId", String, 0, MAX),
    field("Members", Array(&Struct(&JOIN_GROUP_RESPONSE_MEMBER)), 0, MAX),
]};

static JOIN_GROUP_RESPONSE_MEMBER: S = S { name: "JoinGroupResponseMember", fields: &[
    field("MemberId", String, 0, MAX),
    field("GroupInstanceId", String, 5, MAX).nullable_in(5, MAX),
    field("Metadata", Bytes, 0, MAX),
]};

static KRAFT_VERSION_RECORD: S = S { name: "KRaftVersionRecord", fields: &[
    field("Version", Scalar(Int16), 0, MAX),
    field("KRaftVersion", Scalar(Int16), 0, MAX),
]};

static LEADER_AND_ISR_REQUEST: S = S { name: "LeaderAndIsrRequest", fields: &[
]};

static LEADER_AND_ISR_RESPONSE: S = S { name: "LeaderAndIsrResponse", fields: &[
]};

static LEADER_CHANGE_MESSAGE: S = S { name: "LeaderChangeMessage", fields: &[
    field("Version", Scalar(Int16), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("Voters", Array(&Struct(&LEADER_CHANGE_MESSAGE_VOTER)), 0, MAX),
    field("GrantingVoters", Array(&Struct(&LEADER_CHANGE_MESSAGE_VOTER)), 0, MAX),
]};

static LEADER_CHANGE_MESSAGE_VOTER: S = S { name: "Voter", fields: &[
    field("VoterId", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 1, MAX),
]};

static LEAVE_GROUP_REQUEST: S = S { name: "LeaveGroupRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("MemberId", String, 0, 2),
    field("Members", Array(&Struct(&LEAVE_GROUP_REQUEST_MEMBER_IDENTITY)), 3, MAX),
]};

static LEAVE_GROUP_REQUEST_MEMBER_IDENTITY: S = S { name: "MemberIdentity", fields: &[
    field("MemberId", String, 3, MAX),
    field("GroupInstanceId", String, 3, MAX).nullable_in(3, MAX),
    field("Reason", String, 5, MAX).nullable_in(5, MAX),
]};

static LEAVE_GROUP_RESPONSE: S = S { name: "LeaveGroupResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Members", Array(&Struct(&LEAVE_GROUP_RESPONSE_MEMBER_RESPONSE)), 3, MAX),
]};

static LEAVE_GROUP_RESPONSE_MEMBER_RESPONSE: S = S { name: "MemberResponse", fields: &[
    field("MemberId", String, 3, MAX),
    field("GroupInstanceId", String, 3, MAX).nullable_in(3, MAX),
    field("ErrorCode", Scalar(Int16), 3, MAX),
]};

static LIST_CONFIG_RESOURCES_REQUEST: S = S { name: "ListConfigResourcesRequest", fields: &[
    field("ResourceTypes", Array(&Scalar(Int8)), 1, MAX),
]};

static LIST_CONFIG_RESOURCES_RESPONSE: S = S { name: "ListConfigResourcesResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ConfigResources", Array(&Struct(&LIST_CONFIG_RESOURCES_RESPONSE_CONFIG_RESOURCE)), 0, MAX),
]};

static LIST_CONFIG_RESOURCES_RESPONSE_CONFIG_RESOURCE: S = S { name: "ConfigResource", fields: &[
    field("ResourceName", String, 0, MAX),
    field("ResourceType", Scalar(Int8), 1, MAX),
]};

static LIST_GROUPS_REQUEST: S = S { name: "ListGroupsRequest", fields: &[
    field("StatesFilter", Array(&String), 4, MAX),
    field("TypesFilter", Array(&String), 5, MAX),
]};

static LIST_GROUPS_RESPONSE: S = S { name: "ListGroupsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Groups", Array(&Struct(&LIST_GROUPS_RESPONSE_LISTED_GROUP)), 0, MAX),
]};

static LIST_GROUPS_RESPONSE_LISTED_GROUP: S = S { name: "ListedGroup", fields: &[
    field("GroupId", String, 0, MAX),
    field("ProtocolType", String, 0, MAX),
    field("GroupState", String, 4, MAX),
    field("GroupType", String, 5, MAX),
]};

static LIST_OFFSETS_REQUEST: S = S { name: "ListOffsetsRequest", fields: &[
    field("ReplicaId", Scalar(Int32), 0, MAX),
    field("IsolationLevel", Scalar(Int8), 2, MAX),
    field("Topics", Array(&Struct(&LIST_OFFSETS_REQUEST_LIST_OFFSETS_TOPIC)), 0, MAX),
    field("TimeoutMs", Scalar(Int32), 10, MAX),
]};

static LIST_OFFSETS_REQUEST_LIST_OFFSETS_TOPIC: S = S { name: "ListOffsetsTopic", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&LIST_OFFSETS_REQUEST_LIST_OFFSETS_PARTITION)), 0, MAX),
]};

static LIST_OFFSETS_REQUEST_LIST_OFFSETS_PARTITION: S = S { name: "ListOffsetsPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("CurrentLeaderEpoch", Scalar(Int32), 4, MAX),
    field("Timestamp", Scalar(Int64), 0, MAX),
]};

static LIST_OFFSETS_RESPONSE: S = S { name: "ListOffsetsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 2, MAX),
    field("Topics", Array(&Struct(&LIST_OFFSETS_RESPONSE_LIST_OFFSETS_TOPIC_RESPONSE)), 0, MAX),
]};

static LIST_OFFSETS_RESPONSE_LIST_OFFSETS_TOPIC_RESPONSE: S = S { name: "ListOffsetsTopicResponse", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&LIST_OFFSETS_RESPONSE_LIST_OFFSETS_PARTITION_RESPONSE)), 0, MAX),
]};

static LIST_OFFSETS_RESPONSE_LIST_OFFSETS_PARTITION_RESPONSE: S = S { name: "ListOffsetsPartitionResponse", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Timestamp", Scalar(Int64), 1, MAX),
    field("Offset", Scalar(Int64), 1, MAX),
    field("LeaderEpoch", Scalar(Int32), 4, MAX),
]};

static LIST_PARTITION_REASSIGNMENTS_REQUEST: S = S { name: "ListPartitionReassignmentsRequest", fields: &[
    field("TimeoutMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&LIST_PARTITION_REASSIGNMENTS_REQUEST_LIST_PARTITION_REASSIGNMENTS_TOPICS)), 0, MAX).nullable_in(0, MAX),
]};

static LIST_PARTITION_REASSIGNMENTS_REQUEST_LIST_PARTITION_REASSIGNMENTS_TOPICS: S = S { name: "ListPartitionReassignmentsTopics", fields: &[
    field("Name", String, 0, MAX),
    field("PartitionIndexes", Array(&Scalar(Int32)), 0, MAX),
]};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE: S = S { name: "ListPartitionReassignmentsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Topics", Array(&Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_TOPIC_REASSIGNMENT)), 0, MAX),
]};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_TOPIC_REASSIGNMENT: S = S { name: "OngoingTopicReassignment", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_PARTITION_REASSIGNMENT)), 0, MAX),
]};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_PARTITION_REASSIGNMENT: S = S { name: "OngoingPartitionReassignment", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("Replicas", Array(&Scalar(Int32)), 0, MAX),
    field("AddingReplicas", Array(&Scalar(Int32)), 0, MAX),
    field("RemovingReplicas", Array(&Scalar(Int32)), 0, MAX),
]};

static LIST_TRANSACTIONS_REQUEST: S = S { name: "ListTransactionsRequest", fields: &[
    field("StateFilters", Array(&String), 0, MAX),
    field("ProducerIdFilters", Array(&Scalar(Int64)), 0, MAX),
    field("DurationFilter", Scalar(Int64), 1, MAX),
    field("TransactionalIdPattern", String, 2, MAX).nullable_in(2, MAX),
]};

static LIST_TRANSACTIONS_RESPONSE: S = S { name: "ListTransactionsResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("UnknownStateFilters", Array(&String), 0, MAX),
    field("TransactionStates", Array(&Struct(&LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)), 0, MAX),
]};

static LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE: S = S { name: "TransactionState", fields: &[
    field("TransactionalId", String, 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("TransactionState", String, 0, MAX),
]};

static METADATA_REQUEST: S = S { name: "MetadataRequest", fields: &[
    field("Topics", Array(&Struct(&METADATA_REQUEST_TOPIC)), 0, MAX).nullable_in(1, MAX),
    field("AllowAutoTopicCreation", Scalar(Bool), 4, MAX),
    field("IncludeClusterAuthorizedOperations", Scalar(Bool), 8, 10),
    field("IncludeTopicAuthorizedOperations", Scalar(Bool), 8, MAX),
]};

static METADATA_REQUEST_TOPIC: S = S { name: "MetadataRequestTopic", fields: &[
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("Name", String, 0, MAX).nullable_in(10, MAX),
]};

static METADATA_RESPONSE: S = S { name: "MetadataResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 3, MAX),
    field("Brokers", Array(&Struct(&METADATA_RESPONSE_BROKER)), 0, MAX),
    field("ClusterId", String, 2, MAX).nullable_in(2, MAX),
    field("ControllerId", Scalar(Int32), 1, MAX),
    field("Topics", Array(&Struct(&METADATA_RESPONSE_TOPIC)), 0, MAX),
    field("ClusterAuthorizedOperations", Scalar(Int32), 8, 10),
    field("ErrorCode", Scalar(Int16), 13, MAX),
]};

static METADATA_RESPONSE_BROKER: S = S { name: "MetadataResponseBroker", fields: &[
    field("NodeId", Scalar(Int32), 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Int32), 0, MAX),
    field("Rack", String, 1, MAX).nullable_in(1, MAX),
]};

static METADATA_RESPONSE_TOPIC: S = S { name: "MetadataResponseTopic", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Name", String, 0, MAX).nullable_in(12, MAX).key(),
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("IsInternal", Scalar(Bool), 1, MAX),
    field("Partitions", Array(&Struct(&METADATA_RESPONSE_PARTITION)), 0, MAX),
    field("TopicAuthorizedOperations", Scalar(Int32), 8, MAX),
]};

static METADATA_RESPONSE_PARTITION: S = S { name: "MetadataResponsePartition", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 7, MAX),
    field("ReplicaNodes", Array(&Scalar(Int32)), 0, MAX),
    field("IsrNodes", Array(&Scalar(Int32)), 0, MAX),
    field("OfflineReplicas", Array(&Scalar(Int32)), 5, MAX),
]};

static OFFSET_COMMIT_REQUEST: S = S { name: "OffsetCommitRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("GenerationIdOrMemberEpoch", Scalar(Int32), 1, MAX),
    field("MemberId", String, 1, MAX),
    field("GroupInstanceId", String, 7, MAX).nullable_in(7, MAX),
    field("RetentionTimeMs", Scalar(Int64), 2, 4),
    field("Topics", Array(&Struct(&OFFSET_COMMIT_REQUEST_TOPIC)), 0, MAX),
]};

static OFFSET_COMMIT_REQUEST_TOPIC: S = S { name: "OffsetCommitRequestTopic", fields: &[
    field("Name", String, 0, 9),
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("Partitions", Array(&Struct(&OFFSET_COMMIT_REQUEST_PARTITION)), 0, MAX),
]};

static OFFSET_COMMIT_REQUEST_PARTITION: S = S { name: "OffsetCommitRequestPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("CommittedOffset", Scalar(Int64), 0, MAX),
    field("CommittedLeaderEpoch", Scalar(Int32), 6, MAX),
    field("CommittedMetadata", String, 0, MAX).nullable_in(0, MAX),
]};

static OFFSET_COMMIT_RESPONSE: S = S { name: "OffsetCommitResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 3, MAX),
    field("Topics", Array(&Struct(&OFFSET_COMMIT_RESPONSE_TOPIC)), 0, MAX),
]};

static OFFSET_COMMIT_RESPONSE_TOPIC: S = S { name: "OffsetCommitResponseTopic", fields: &[
    field("Name", String, 0, 9),
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("Partitions", Array(&Struct(&OFFSET_COMMIT_RESPONSE_PARTITION)), 0, MAX),
]};

static OFFSET_COMMIT_RESPONSE_PARTITION: S = S { name: "OffsetCommitResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static OFFSET_DELETE_REQUEST: S = S { name: "OffsetDeleteRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&OFFSET_DELETE_REQUEST_TOPIC)), 0, MAX),
]};

static OFFSET_DELETE_REQUEST_TOPIC: S = S { name: "OffsetDeleteRequestTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&OFFSET_DELETE_REQUEST_PARTITION)), 0, MAX),
]};

static OFFSET_DELETE_REQUEST_PARTITION: S = S { name: "OffsetDeleteRequestPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
]};

static OFFSET_DELETE_RESPONSE: S = S { name: "OffsetDeleteResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&OFFSET_DELETE_RESPONSE_TOPIC)), 0, MAX),
]};

static OFFSET_DELETE_RESPONSE_TOPIC: S = S { name: "OffsetDeleteResponseTopic", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&OFFSET_DELETE_RESPONSE_PARTITION)), 0, MAX),
]};

static OFFSET_DELETE_RESPONSE_PARTITION: S = S { name: "OffsetDeleteResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static OFFSET_FETCH_REQUEST: S = S { name: "OffsetFetchRequest", fields: &[
    field("GroupId", String, 0, 7),
    field("Topics", Array(&Struct(&OFFSET_FETCH_REQUEST_TOPIC)), 0, 7).nullable_in(2, 7),
    field("Groups", Array(&Struct(&OFFSET_FETCH_REQUEST_GROUP)), 8, MAX),
    field("RequireStable", Scalar(Bool), 7, MAX),
]};

static OFFSET_FETCH_REQUEST_TOPIC: S = S { name: "OffsetFetchRequestTopic", fields: &[
    field("Name", String, 0, 7),
    field("PartitionIndexes", Array(&Scalar(Int32)), 0, 7),
]};

static OFFSET_FETCH_REQUEST_GROUP: S = S { name: "OffsetFetchRequestGroup", fields: &[
    field("GroupId", String, 8, MAX),
    field("MemberId", String, 9, MAX).nullable_in(9, MAX),
    field("MemberEpoch", Scalar(Int32), 9, MAX),
    field("Topics", Array(&Struct(&OFFSET_FETCH_REQUEST_TOPICS)), 8, MAX).nullable_in(8, MAX),
]};

static OFFSET_FETCH_REQUEST_TOPICS: S = S { name: "OffsetFetchRequestTopics", fields: &[
    field("Name", String, 8, 9),
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("PartitionIndexes", Array(&Scalar(Int32)), 8, MAX),
]};

static OFFSET_FETCH_RESPONSE: S = S { name: "OffsetFetchResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 3, MAX),
    field("Topics", Array(&Struct(&OFFSET_FETCH_RESPONSE_TOPIC)), 0, 7),
    field("ErrorCode", Scalar(Int16), 2, 7),
    field("Groups", Array(&Struct(&OFFSET_FETCH_RESPONSE_GROUP)), 8, MAX),
]};

static OFFSET_FETCH_RESPONSE_TOPIC: S = S { name: "OffsetFetchResponseTopic", fields: &[
    field("Name", String, 0, 7),
    field("Partitions", Array(&Struct(&OFFSET_FETCH_RESPONSE_PARTITION)), 0, 7),
]};

static OFFSET_FETCH_RESPONSE_PARTITION: S = S { name: "OffsetFetchResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, 7),
    field("CommittedOffset", Scalar(Int64), 0, 7),
    field("CommittedLeaderEpoch", Scalar(Int32), 5, 7),
    field("Metadata", String, 0, 7).nullable_in(0, 7),
    field("ErrorCode", Scalar(Int16), 0, 7),
]};

static OFFSET_FETCH_RESPONSE_GROUP: S = S { name: "OffsetFetchResponseGroup", fields: &[
    field("GroupId", String, 8, MAX),
    field("Topics", Array(&Struct(&OFFSET_FETCH_RESPONSE_TOPICS)), 8, MAX),
    field("ErrorCode", Scalar(Int16), 8, MAX),
]};

static OFFSET_FETCH_RESPONSE_TOPICS: S = S { name: "OffsetFetchResponseTopics", fields: &[
    field("Name", String, 8, 9),
    field("TopicId", Scalar(Uuid), 10, MAX),
    field("Partitions", Array(&Struct(&OFFSET_FETCH_RESPONSE_PARTITIONS)), 8, MAX),
]};

static OFFSET_FETCH_RESPONSE_PARTITIONS: S = S { name: "OffsetFetchResponsePartitions", fields: &[
    field("PartitionIndex", Scalar(Int32), 8, MAX),
    field("CommittedOffset", Scalar(Int64), 8, MAX),
    field("CommittedLeaderEpoch", Scalar(Int32), 8, MAX),
    field("Metadata", String, 8, MAX).nullable_in(8, MAX),
    field("ErrorCode", Scalar(Int16), 8, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_REQUEST: S = S { name: "OffsetForLeaderEpochRequest", fields: &[
    field("ReplicaId", Scalar(Int32), 3, MAX),
    field("Topics", Array(&Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC)), 0, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC: S = S { name: "OffsetForLeaderTopic", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION)), 0, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION: S = S { name: "OffsetForLeaderPartition", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("CurrentLeaderEpoch", Scalar(Int32), 2, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE: S = S { name: "OffsetForLeaderEpochResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 2, MAX),
    field("Topics", Array(&Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_OFFSET_FOR_LEADER_TOPIC_RESULT)), 0, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE_OFFSET_FOR_LEADER_TOPIC_RESULT: S = S { name: "OffsetForLeaderTopicResult", fields: &[
    field("Topic", String, 0, MAX).key(),
    field("Partitions", Array(&Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_EPOCH_END_OFFSET)), 0, MAX),
]};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE_EPOCH_END_OFFSET: S = S { name: "EpochEndOffset", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Partition", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 1, MAX),
    field("EndOffset", Scalar(Int64), 0, MAX),
]};

static PRODUCE_REQUEST: S = S { name: "ProduceRequest", fields: &[
    field("TransactionalId", String, 3, MAX).nullable_in(3, MAX),
    field("Acks", Scalar(Int16), 0, MAX),
    field("TimeoutMs", Scalar(Int32), 0, MAX),
    field("TopicData", Array(&Struct(&PRODUCE_REQUEST_TOPIC_PRODUCE_DATA)), 0, MAX),
]};

static PRODUCE_REQUEST_TOPIC_PRODUCE_DATA: S = S { name: "TopicProduceData", fields: &[
    field("Name", String, 0, 12).key(),
    field("TopicId", Scalar(Uuid), 13, MAX).key(),
    field("PartitionData", Array(&Struct(&PRODUCE_REQUEST_PARTITION_PRODUCE_DATA)), 0, MAX),
]};

static PRODUCE_REQUEST_PARTITION_PRODUCE_DATA: S = S { name: "PartitionProduceData", fields: &[
    field("Index", Scalar(Int32), 0, MAX),
    field("Records", Records, 0, MAX).nullable_in(0, MAX),
]};

static PRODUCE_RESPONSE: S = S { name: "ProduceResponse", fields: &[
    field("Responses", Array(&Struct(&PRODUCE_RESPONSE_TOPIC_PRODUCE_RESPONSE)), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("NodeEndpoints", Array(&Struct(&PRODUCE_RESPONSE_NODE_ENDPOINT)), 10, MAX).tagged(0, 10, MAX),
]};

static PRODUCE_RESPONSE_TOPIC_PRODUCE_RESPONSE: S = S { name: "TopicProduceResponse", fields: &[
    field("Name", String, 0, 12).key(),
    field("TopicId", Scalar(Uuid), 13, MAX).key(),
    field("PartitionResponses", Array(&Struct(&PRODUCE_RESPONSE_PARTITION_PRODUCE_RESPONSE)), 0, MAX),
]};

static PRODUCE_RESPONSE_PARTITION_PRODUCE_RESPONSE: S = S { name: "PartitionProduceResponse", fields: &[
    field("Index", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("BaseOffset", Scalar(Int64), 0, MAX),
    field("LogAppendTimeMs", Scalar(Int64), 2, MAX),
    field("LogStartOffset", Scalar(Int64), 5, MAX),
    field("RecordErrors", Array(&Struct(&PRODUCE_RESPONSE_BATCH_INDEX_AND_ERROR_MESSAGE)), 8, MAX),
    field("ErrorMessage", String, 8, MAX).nullable_in(8, MAX),
    field("CurrentLeader", Struct(&PRODUCE_RESPONSE_LEADER_ID_AND_EPOCH), 10, MAX).tagged(0, 10, MAX),
]};

static PRODUCE_RESPONSE_BATCH_INDEX_AND_ERROR_MESSAGE: S = S { name: "BatchIndexAndErrorMessage", fields: &[
    field("BatchIndex", Scalar(Int32), 8, MAX),
    field("BatchIndexErrorMessage", String, 8, MAX).nullable_in(8, MAX),
]};

static PRODUCE_RESPONSE_LEADER_ID_AND_EPOCH: S = S { name: "LeaderIdAndEpoch", fields: &[
    field("LeaderId", Scalar(Int32), 10, MAX),
    field("LeaderEpoch", Scalar(Int32), 10, MAX),
]};

static PRODUCE_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 10, MAX).key(),
    field("Host", String, 10, MAX),
    field("Port", Scalar(Int32), 10, MAX),
    field("Rack", String, 10, MAX).nullable_in(10, MAX),
]};

static PUSH_TELEMETRY_REQUEST: S = S { name: "PushTelemetryRequest", fields: &[
    field("ClientInstanceId", Scalar(Uuid), 0, MAX),
    field("SubscriptionId", Scalar(Int32), 0, MAX),
    field("Terminating", Scalar(Bool), 0, MAX),
    field("CompressionType", Scalar(Int8), 0, MAX),
    field("Metrics", Bytes, 0, MAX),
]};

static PUSH_TELEMETRY_RESPONSE: S = S { name: "PushTelemetryResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_REQUEST: S = S { name: "ReadShareGroupStateRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&READ_SHARE_GROUP_STATE_REQUEST_READ_STATE_DATA)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_REQUEST_READ_STATE_DATA: S = S { name: "ReadStateData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&READ_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_RESPONSE: S = S { name: "ReadShareGroupStateResponse", fields: &[
    field("Results", Array(&Struct(&READ_SHARE_GROUP_STATE_RESPONSE_READ_STATE_RESULT)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_RESPONSE_READ_STATE_RESULT: S = S { name: "ReadStateResult", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&READ_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("StateEpoch", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
    field("StateBatches", Array(&Struct(&READ_SHARE_GROUP_STATE_RESPONSE_STATE_BATCH)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_RESPONSE_STATE_BATCH: S = S { name: "StateBatch", fields: &[
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("DeliveryState", Scalar(Int8), 0, MAX),
    field("DeliveryCount", Scalar(Int16), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST: S = S { name: "ReadShareGroupStateSummaryRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_READ_STATE_SUMMARY_DATA)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_READ_STATE_SUMMARY_DATA: S = S { name: "ReadStateSummaryData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE: S = S { name: "ReadShareGroupStateSummaryResponse", fields: &[
    field("Results", Array(&Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_READ_STATE_SUMMARY_RESULT)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_READ_STATE_SUMMARY_RESULT: S = S { name: "ReadStateSummaryResult", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("StateEpoch", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
    field("DeliveryCompleteCount", Scalar(Int32), 1, MAX),
]};

static REMOVE_RAFT_VOTER_REQUEST: S = S { name: "RemoveRaftVoterRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("VoterId", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 0, MAX),
]};

static REMOVE_RAFT_VOTER_RESPONSE: S = S { name: "RemoveRaftVoterResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static RENEW_DELEGATION_TOKEN_REQUEST: S = S { name: "RenewDelegationTokenRequest", fields: &[
    field("Hmac", Bytes, 0, MAX),
    field("RenewPeriodMs", Scalar(Int64), 0, MAX),
]};

static RENEW_DELEGATION_TOKEN_RESPONSE: S = S { name: "RenewDelegationTokenResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ExpiryTimestampMs", Scalar(Int64), 0, MAX),
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
]};

static REQUEST_HEADER: S = S { name: "RequestHeader", fields: &[
    field("RequestApiKey", Scalar(Int16), 0, MAX),
    field("RequestApiVersion", Scalar(Int16), 0, MAX),
    field("CorrelationId", Scalar(Int32), 0, MAX),
    field("ClientId", String, 1, MAX).nullable_in(1, MAX).rigid(),
]};

static RESPONSE_HEADER: S = S { name: "ResponseHeader", fields: &[
    field("CorrelationId", Scalar(Int32), 0, MAX),
]};

static SASL_AUTHENTICATE_REQUEST: S = S { name: "SaslAuthenticateRequest", fields: &[
    field("AuthBytes", Bytes, 0, MAX),
]};

static SASL_AUTHENTICATE_RESPONSE: S = S { name: "SaslAuthenticateResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("AuthBytes", Bytes, 0, MAX),
    field("SessionLifetimeMs", Scalar(Int64), 1, MAX),
]};

static SASL_HANDSHAKE_REQUEST: S = S { name: "SaslHandshakeRequest", fields: &[
    field("Mechanism", String, 0, MAX),
]};

static SASL_HANDSHAKE_RESPONSE: S = S { name: "SaslHandshakeResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Mechanisms", Array(&String), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_REQUEST: S = S { name: "ShareAcknowledgeRequest", fields: &[
    field("GroupId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberId", String, 0, MAX).nullable_in(0, MAX),
    field("ShareSessionEpoch", Scalar(Int32), 0, MAX),
    field("IsRenewAck", Scalar(Bool), 2, MAX),
    field("Topics", Array(&Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_TOPIC)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_TOPIC: S = S { name: "AcknowledgeTopic", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX).key(),
    field("Partitions", Array(&Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_PARTITION)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_PARTITION: S = S { name: "AcknowledgePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("AcknowledgementBatches", Array(&Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGEMENT_BATCH)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGEMENT_BATCH: S = S { name: "AcknowledgementBatch", fields: &[
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("AcknowledgeTypes", Array(&Scalar(Int8)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_RESPONSE: S = S { name: "ShareAcknowledgeResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("AcquisitionLockTimeoutMs", Scalar(Int32), 2, MAX),
    field("Responses", Array(&Struct(&SHARE_ACKNOWLEDGE_RESPONSE_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&SHARE_ACKNOWLEDGE_RESPONSE_NODE_ENDPOINT)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_RESPONSE_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE: S = S { name: "ShareAcknowledgeTopicResponse", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX).key(),
    field("Partitions", Array(&Struct(&SHARE_ACKNOWLEDGE_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("CurrentLeader", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_LEADER_ID_AND_EPOCH), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_RESPONSE_LEADER_ID_AND_EPOCH: S = S { name: "LeaderIdAndEpoch", fields: &[
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static SHARE_ACKNOWLEDGE_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Int32), 0, MAX),
    field("Rack", String, 0, MAX).nullable_in(0, MAX),
]};

static SHARE_FETCH_REQUEST: S = S { name: "ShareFetchRequest", fields: &[
    field("GroupId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberId", String, 0, MAX).nullable_in(0, MAX),
    field("ShareSessionEpoch", Scalar(Int32), 0, MAX),
    field("MaxWaitMs", Scalar(Int32), 0, MAX),
    field("MinBytes", Scalar(Int32), 0, MAX),
    field("MaxBytes", Scalar(Int32), 0, MAX),
    field("MaxRecords", Scalar(Int32), 1, MAX),
    field("BatchSize", Scalar(Int32), 1, MAX),
    field("ShareAcquireMode", Scalar(Int8), 2, MAX),
    field("IsRenewAck", Scalar(Bool), 2, MAX),
    field("Topics", Array(&Struct(&SHARE_FETCH_REQUEST_FETCH_TOPIC)), 0, MAX),
    field("ForgottenTopicsData", Array(&Struct(&SHARE_FETCH_REQUEST_FORGOTTEN_TOPIC)), 0, MAX),
]};

static SHARE_FETCH_REQUEST_FETCH_TOPIC: S = S { name: "FetchTopic", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX).key(),
    field("Partitions", Array(&Struct(&SHARE_FETCH_REQUEST_FETCH_PARTITION)), 0, MAX),
]};

static SHARE_FETCH_REQUEST_FETCH_PARTITION: S = S { name: "FetchPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX).key(),
    field("PartitionMaxBytes", Scalar(Int32), 0, 0),
    field("AcknowledgementBatches", Array(&Struct(&SHARE_FETCH_REQUEST_ACKNOWLEDGEMENT_BATCH)), 0, MAX),
]};

static SHARE_FETCH_REQUEST_ACKNOWLEDGEMENT_BATCH: S = S { name: "AcknowledgementBatch", fields: &[
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("AcknowledgeTypes", Array(&Scalar(Int8)), 0, MAX),
]};

static SHARE_FETCH_REQUEST_FORGOTTEN_TOPIC: S = S { name: "ForgottenTopic", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static SHARE_FETCH_RESPONSE: S = S { name: "ShareFetchResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("AcquisitionLockTimeoutMs", Scalar(Int32), 1, MAX),
    field("Responses", Array(&Struct(&SHARE_FETCH_RESPONSE_SHARE_FETCHABLE_TOPIC_RESPONSE)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&SHARE_FETCH_RESPONSE_NODE_ENDPOINT)), 0, MAX),
]};

static SHARE_FETCH_RESPONSE_SHARE_FETCHABLE_TOPIC_RESPONSE: S = S { name: "ShareFetchableTopicResponse", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX).key(),
    field("Partitions", Array(&Struct(&SHARE_FETCH_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static SHARE_FETCH_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("AcknowledgeErrorCode", Scalar(Int16), 0, MAX),
    field("AcknowledgeErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("CurrentLeader", Struct(&SHARE_FETCH_RESPONSE_LEADER_ID_AND_EPOCH), 0, MAX),
    field("Records", Records, 0, MAX).nullable_in(0, 0),
    field("AcquiredRecords", Array(&Struct(&SHARE_FETCH_RESPONSE_ACQUIRED_RECORDS)), 0, MAX),
]};

static SHARE_FETCH_RESPONSE_LEADER_ID_AND_EPOCH: S = S { name: "LeaderIdAndEpoch", fields: &[
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
]};

static SHARE_FETCH_RESPONSE_ACQUIRED_RECORDS: S = S { name: "AcquiredRecords", fields: &[
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("DeliveryCount", Scalar(Int16), 0, MAX),
]};

static SHARE_FETCH_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Int32), 0, MAX),
    field("Rack", String, 0, MAX).nullable_in(0, MAX),
]};

static SHARE_GROUP_DESCRIBE_REQUEST: S = S { name: "ShareGroupDescribeRequest", fields: &[
    field("GroupIds", Array(&String), 0, MAX),
    field("IncludeAuthorizedOperations", Scalar(Bool), 0, MAX),
]};

static SHARE_GROUP_DESCRIBE_RESPONSE: S = S { name: "ShareGroupDescribeResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Groups", Array(&Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)), 0, MAX),
]};

static SHARE_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: S = S { name: "DescribedGroup", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("GroupId", String, 0, MAX),
    field("GroupState", String, 0, MAX),
    field("GroupEpoch", Scalar(Int32), 0, MAX),
    field("AssignmentEpoch", Scalar(Int32), 0, MAX),
    field("AssignorName", String, 0, MAX),
    field("Members", Array(&Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_MEMBER)), 0, MAX),
    field("AuthorizedOperations", Scalar(Int32), 0, MAX),
]};

static SHARE_GROUP_DESCRIBE_RESPONSE_MEMBER: S = S { name: "Member", fields: &[
    field("MemberId", String, 0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("ClientId", String, 0, MAX),
    field("ClientHost", String, 0, MAX),
    field("SubscribedTopicNames", Array(&String), 0, MAX),
    field("Assignment", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), 0, MAX),
]};

static SHARE_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: S = S { name: "Assignment", fields: &[
    field("TopicPartitions", Array(&Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS)), 0, MAX),
]};

static SHARE_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static SHARE_GROUP_HEARTBEAT_REQUEST: S = S { name: "ShareGroupHeartbeatRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("MemberId", String, 0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("SubscribedTopicNames", Array(&String), 0, MAX).nullable_in(0, MAX),
]};

static SHARE_GROUP_HEARTBEAT_RESPONSE: S = S { name: "ShareGroupHeartbeatResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("MemberId", String, 0, MAX).nullable_in(0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("HeartbeatIntervalMs", Scalar(Int32), 0, MAX),
    field("Assignment", Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT), 0, MAX).nullable_in(0, MAX),
]};

static SHARE_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT: S = S { name: "Assignment", fields: &[
    field("TopicPartitions", Array(&Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS)), 0, MAX),
]};

static SHARE_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS: S = S { name: "TopicPartitions", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static SNAPSHOT_FOOTER_RECORD: S = S { name: "SnapshotFooterRecord", fields: &[
    field("Version", Scalar(Int16), 0, MAX),
]};

static SNAPSHOT_HEADER_RECORD: S = S { name: "SnapshotHeaderRecord", fields: &[
    field("Version", Scalar(Int16), 0, MAX),
    field("LastContainedLogTimestamp", Scalar(Int64), 0, MAX),
]};

static STOP_REPLICA_REQUEST: S = S { name: "StopReplicaRequest", fields: &[
]};

static STOP_REPLICA_RESPONSE: S = S { name: "StopReplicaResponse", fields: &[
]};

static STREAMS_GROUP_DESCRIBE_REQUEST: S = S { name: "StreamsGroupDescribeRequest", fields: &[
    field("GroupIds", Array(&String), 0, MAX),
    field("IncludeAuthorizedOperations", Scalar(Bool), 0, MAX),
    field("IncludeTopologyDescription", Scalar(Bool), 1, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE: S = S { name: "StreamsGroupDescribeResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Groups", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: S = S { name: "DescribedGroup", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("GroupId", String, 0, MAX),
    field("GroupState", String, 0, MAX),
    field("GroupEpoch", Scalar(Int32), 0, MAX),
    field("AssignmentEpoch", Scalar(Int32), 0, MAX),
    field("Topology", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY), 0, MAX).nullable_in(0, MAX),
    field("Members", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER)), 0, MAX),
    field("AuthorizedOperations", Scalar(Int32), 0, MAX),
    field("TopologyDescription", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION), 1, MAX).nullable_in(1, MAX),
    field("TopologyDescriptionStatus", Scalar(Int8), 1, MAX),
    field("AssignorName", String, 1, MAX).nullable_in(1, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY: S = S { name: "Topology", fields: &[
    field("Epoch", Scalar(Int32), 0, MAX),
    field("Subtopologies", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY)), 0, MAX).nullable_in(0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY: S = S { name: "Subtopology", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("SourceTopics", Array(&String), 0, MAX),
    field("RepartitionSinkTopics", Array(&String), 0, MAX),
    field("StateChangelogTopics", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO)), 0, MAX),
    field("RepartitionSourceTopics", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO)), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO: S = S { name: "TopicInfo", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Scalar(Int32), 0, MAX),
    field("ReplicationFactor", Scalar(Int16), 0, MAX),
    field("TopicConfigs", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE)), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE: S = S { name: "KeyValue", fields: &[
    field("Key", String, 0, MAX),
    field("Value", String, 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER: S = S { name: "Member", fields: &[
    field("MemberId", String, 0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("InstanceId", String, 0, MAX).nullable_in(0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("ClientId", String, 0, MAX),
    field("ClientHost", String, 0, MAX),
    field("TopologyEpoch", Scalar(Int32), 0, MAX),
    field("ProcessId", String, 0, MAX),
    field("UserEndpoint", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ENDPOINT), 0, MAX).nullable_in(0, MAX),
    field("ClientTags", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE)), 0, MAX),
    field("TaskOffsets", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET)), 0, MAX),
    field("TaskEndOffsets", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET)), 0, MAX),
    field("Assignment", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), 0, MAX),
    field("TargetAssignment", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), 0, MAX),
    field("IsClassic", Scalar(Bool), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_ENDPOINT: S = S { name: "Endpoint", fields: &[
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET: S = S { name: "TaskOffset", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Partition", Scalar(Int32), 0, MAX),
    field("Offset", Scalar(Int64), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: S = S { name: "Assignment", fields: &[
    field("ActiveTasks", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), 0, MAX),
    field("StandbyTasks", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), 0, MAX),
    field("WarmupTasks", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS: S = S { name: "TaskIds", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION: S = S { name: "TopologyDescription", fields: &[
    field("Subtopologies", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY)), 1, MAX),
    field("GlobalStores", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_GLOBAL_STORE)), 1, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY: S = S { name: "TopologyDescriptionSubtopology", fields: &[
    field("SubtopologyId", String, 1, MAX),
    field("Nodes", Array(&Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_NODE)), 1, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_NODE: S = S { name: "TopologyDescriptionNode", fields: &[
    field("Name", String, 1, MAX),
    field("NodeType", Scalar(Int8), 1, MAX),
    field("SourceTopics", Array(&String), 1, MAX),
    field("SinkTopic", String, 1, MAX).nullable_in(1, MAX),
    field("Stores", Array(&String), 1, MAX),
    field("Successors", Array(&String), 1, MAX),
]};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_GLOBAL_STORE: S = S { name: "TopologyDescriptionGlobalStore", fields: &[
    field("Source", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_NODE), 1, MAX),
    field("Processor", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_DESCRIPTION_NODE), 1, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST: S = S { name: "StreamsGroupHeartbeatRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("MemberId", String, 0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("EndpointInformationEpoch", Scalar(Int32), 0, MAX),
    field("InstanceId", String, 0, MAX).nullable_in(0, MAX),
    field("RackId", String, 0, MAX).nullable_in(0, MAX),
    field("RebalanceTimeoutMs", Scalar(Int32), 0, MAX),
    field("Topology", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY), 0, MAX).nullable_in(0, MAX),
    field("ActiveTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("StandbyTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("WarmupTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("ProcessId", String, 0, MAX).nullable_in(0, MAX),
    field("UserEndpoint", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_ENDPOINT), 0, MAX).nullable_in(0, MAX),
    field("ClientTags", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE)), 0, MAX).nullable_in(0, MAX),
    field("TaskOffsets", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET)), 0, MAX).nullable_in(0, MAX),
    field("TaskEndOffsets", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET)), 0, MAX).nullable_in(0, MAX),
    field("ShutdownApplication", Scalar(Bool), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY: S = S { name: "Topology", fields: &[
    field("Epoch", Scalar(Int32), 0, MAX),
    field("Subtopologies", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY: S = S { name: "Subtopology", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("SourceTopics", Array(&String), 0, MAX),
    field("SourceTopicRegex", Array(&String), 0, MAX),
    field("StateChangelogTopics", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO)), 0, MAX),
    field("RepartitionSinkTopics", Array(&String), 0, MAX),
    field("RepartitionSourceTopics", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO)), 0, MAX),
    field("CopartitionGroups", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_COPARTITION_GROUP)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO: S = S { name: "TopicInfo", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Scalar(Int32), 0, MAX),
    field("ReplicationFactor", Scalar(Int16), 0, MAX),
    field("TopicConfigs", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE: S = S { name: "KeyValue", fields: &[
    field("Key", String, 0, MAX),
    field("Value", String, 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_COPARTITION_GROUP: S = S { name: "CopartitionGroup", fields: &[
    field("SourceTopics", Array(&Scalar(Int16)), 0, MAX),
    field("SourceTopicRegex", Array(&Scalar(Int16)), 0, MAX),
    field("RepartitionSourceTopics", Array(&Scalar(Int16)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS: S = S { name: "TaskIds", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_ENDPOINT: S = S { name: "Endpoint", fields: &[
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET: S = S { name: "TaskOffset", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Partition", Scalar(Int32), 0, MAX),
    field("Offset", Scalar(Int64), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE: S = S { name: "StreamsGroupHeartbeatResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("MemberId", String, 0, MAX),
    field("MemberEpoch", Scalar(Int32), 0, MAX),
    field("HeartbeatIntervalMs", Scalar(Int32), 0, MAX),
    field("AcceptableRecoveryLagLegacy", Scalar(Int32), 0, 0),
    field("TaskOffsetIntervalMs", Scalar(Int32), 0, MAX),
    field("AcceptableRecoveryLag", Scalar(Int64), 1, MAX),
    field("Status", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_STATUS)), 0, MAX).nullable_in(0, MAX),
    field("ActiveTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("StandbyTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("WarmupTasks", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), 0, MAX).nullable_in(0, MAX),
    field("TopologyDescriptionRequired", Scalar(Bool), 1, MAX),
    field("EndpointInformationEpoch", Scalar(Int32), 0, MAX),
    field("PartitionsByUserEndpoint", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT_TO_PARTITIONS)), 0, MAX).nullable_in(0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_STATUS: S = S { name: "Status", fields: &[
    field("StatusCode", Scalar(Int8), 0, MAX),
    field("StatusDetail", String, 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS: S = S { name: "TaskIds", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT_TO_PARTITIONS: S = S { name: "EndpointToPartitions", fields: &[
    field("UserEndpoint", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT), 0, MAX),
    field("ActivePartitions", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION)), 0, MAX),
    field("StandbyPartitions", Array(&Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION)), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT: S = S { name: "Endpoint", fields: &[
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION: S = S { name: "TopicPartition", fields: &[
    field("Topic", String, 0, MAX),
    field("Partitions", Array(&Scalar(Int32)), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST: S = S { name: "StreamsGroupTopologyDescriptionUpdateRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("MemberId", String, 0, MAX),
    field("TopologyEpoch", Scalar(Int32), 0, MAX),
    field("TopologyDescription", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION: S = S { name: "TopologyDescription", fields: &[
    field("Subtopologies", Array(&Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY)), 0, MAX),
    field("GlobalStores", Array(&Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_GLOBAL_STORE)), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY: S = S { name: "TopologyDescriptionSubtopology", fields: &[
    field("SubtopologyId", String, 0, MAX),
    field("Nodes", Array(&Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_NODE)), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_NODE: S = S { name: "TopologyDescriptionNode", fields: &[
    field("Name", String, 0, MAX),
    field("NodeType", Scalar(Int8), 0, MAX),
    field("SourceTopics", Array(&String), 0, MAX),
    field("SinkTopic", String, 0, MAX).nullable_in(0, MAX),
    field("Stores", Array(&String), 0, MAX),
    field("Successors", Array(&String), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_GLOBAL_STORE: S = S { name: "TopologyDescriptionGlobalStore", fields: &[
    field("Source", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_NODE), 0, MAX),
    field("Processor", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_TOPOLOGY_DESCRIPTION_NODE), 0, MAX),
]};

static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_RESPONSE: S = S { name: "StreamsGroupTopologyDescriptionUpdateResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static SYNC_GROUP_REQUEST: S = S { name: "SyncGroupRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("GenerationId", Scalar(Int32), 0, MAX),
    field("MemberId", String, 0, MAX),
    field("GroupInstanceId", String, 3, MAX).nullable_in(3, MAX),
    field("ProtocolType", String, 5, MAX).nullable_in(5, MAX),
    field("ProtocolName", String, 5, MAX).nullable_in(5, MAX),
    field("Assignments", Array(&Struct(&SYNC_GROUP_REQUEST_ASSIGNMENT)), 0, MAX),
]};

static SYNC_GROUP_REQUEST_ASSIGNMENT: S = S { name: "SyncGroupRequestAssignment", fields: &[
    field("MemberId", String, 0, MAX),
    field("Assignment", Bytes, 0, MAX),
]};

static SYNC_GROUP_RESPONSE: S = S { name: "SyncGroupResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 1, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ProtocolType", String, 5, MAX).nullable_in(5, MAX),
    field("ProtocolName", String, 5, MAX).nullable_in(5, MAX),
    field("Assignment", Bytes, 0, MAX),
]};

static TXN_OFFSET_COMMIT_REQUEST: S = S { name: "TxnOffsetCommitRequest", fields: &[
    field("TransactionalId", String, 0, MAX),
    field("GroupId", String, 0, MAX),
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("GenerationIdOrMemberEpoch", Scalar(Int32), 3, MAX),
    field("MemberId", String, 3, MAX),
    field("GroupInstanceId", String, 3, MAX).nullable_in(3, MAX),
    field("Topics", Array(&Struct(&TXN_OFFSET_COMMIT_REQUEST_TOPIC)), 0, MAX),
]};

static TXN_OFFSET_COMMIT_REQUEST_TOPIC: S = S { name: "TxnOffsetCommitRequestTopic", fields: &[
    field("Name", String, 0, 5),
    field("TopicId", Scalar(Uuid), 6, MAX),
    field("Partitions", Array(&Struct(&TXN_OFFSET_COMMIT_REQUEST_PARTITION)), 0, MAX),
]};

static TXN_OFFSET_COMMIT_REQUEST_PARTITION: S = S { name: "TxnOffsetCommitRequestPartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("CommittedOffset", Scalar(Int64), 0, MAX),
    field("CommittedLeaderEpoch", Scalar(Int32), 2, MAX),
    field("CommittedMetadata", String, 0, MAX).nullable_in(0, MAX),
]};

static TXN_OFFSET_COMMIT_RESPONSE: S = S { name: "TxnOffsetCommitResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("Topics", Array(&Struct(&TXN_OFFSET_COMMIT_RESPONSE_TOPIC)), 0, MAX),
]};

static TXN_OFFSET_COMMIT_RESPONSE_TOPIC: S = S { name: "TxnOffsetCommitResponseTopic", fields: &[
    field("Name", String, 0, 5),
    field("TopicId", Scalar(Uuid), 6, MAX),
    field("Partitions", Array(&Struct(&TXN_OFFSET_COMMIT_RESPONSE_PARTITION)), 0, MAX),
]};

static TXN_OFFSET_COMMIT_RESPONSE_PARTITION: S = S { name: "TxnOffsetCommitResponsePartition", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};

static UNREGISTER_BROKER_REQUEST: S = S { name: "UnregisterBrokerRequest", fields: &[
    field("BrokerId", Scalar(Int32), 0, MAX),
]};

static UNREGISTER_BROKER_RESPONSE: S = S { name: "UnregisterBrokerResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static UNREGISTER_CONTROLLER_REQUEST: S = S { name: "UnregisterControllerRequest", fields: &[
    field("ControllerId", Scalar(Int32), 0, MAX),
]};

static UNREGISTER_CONTROLLER_RESPONSE: S = S { name: "UnregisterControllerResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static UPDATE_FEATURES_REQUEST: S = S { name: "UpdateFeaturesRequest", fields: &[
    field("timeoutMs", Scalar(Int32), 0, MAX),
    field("FeatureUpdates", Array(&Struct(&UPDATE_FEATURES_REQUEST_FEATURE_UPDATE_KEY)), 0, MAX),
    field("ValidateOnly", Scalar(Bool), 1, MAX),
]};

static UPDATE_FEATURES_REQUEST_FEATURE_UPDATE_KEY: S = S { name: "FeatureUpdateKey", fields: &[
    field("Feature", String, 0, MAX).key(),
    field("MaxVersionLevel", Scalar(Int16), 0, MAX),
    field("AllowDowngrade", Scalar(Bool), 0, 0),
    field("UpgradeType", Scalar(Int8), 1, MAX),
]};

static UPDATE_FEATURES_RESPONSE: S = S { name: "UpdateFeaturesResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
    field("Results", Array(&Struct(&UPDATE_FEATURES_RESPONSE_UPDATABLE_FEATURE_RESULT)), 0, 1),
]};

static UPDATE_FEATURES_RESPONSE_UPDATABLE_FEATURE_RESULT: S = S { name: "UpdatableFeatureResult", fields: &[
    field("Feature", String, 0, MAX).key(),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static UPDATE_METADATA_REQUEST: S = S { name: "UpdateMetadataRequest", fields: &[
]};

static UPDATE_METADATA_RESPONSE: S = S { name: "UpdateMetadataResponse", fields: &[
]};

static UPDATE_RAFT_VOTER_REQUEST: S = S { name: "UpdateRaftVoterRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("CurrentLeaderEpoch", Scalar(Int32), 0, MAX),
    field("VoterId", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 0, MAX),
    field("Listeners", Array(&Struct(&UPDATE_RAFT_VOTER_REQUEST_LISTENER)), 0, MAX),
    field("KRaftVersionFeature", Struct(&UPDATE_RAFT_VOTER_REQUEST_KRAFT_VERSION_FEATURE), 0, MAX),
]};

static UPDATE_RAFT_VOTER_REQUEST_LISTENER: S = S { name: "Listener", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static UPDATE_RAFT_VOTER_REQUEST_KRAFT_VERSION_FEATURE: S = S { name: "KRaftVersionFeature", fields: &[
    field("MinSupportedVersion", Scalar(Int16), 0, MAX),
    field("MaxSupportedVersion", Scalar(Int16), 0, MAX),
]};

static UPDATE_RAFT_VOTER_RESPONSE: S = S { name: "UpdateRaftVoterResponse", fields: &[
    field("ThrottleTimeMs", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("CurrentLeader", Struct(&UPDATE_RAFT_VOTER_RESPONSE_CURRENT_LEADER), 0, MAX).tagged(0, 0, MAX),
]};

static UPDATE_RAFT_VOTER_RESPONSE_CURRENT_LEADER: S = S { name: "CurrentLeader", fields: &[
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Int32), 0, MAX),
]};

static VOTE_REQUEST: S = S { name: "VoteRequest", fields: &[
    field("ClusterId", String, 0, MAX).nullable_in(0, MAX),
    field("VoterId", Scalar(Int32), 1, MAX),
    field("Topics", Array(&Struct(&VOTE_REQUEST_TOPIC_DATA)), 0, MAX),
]};

static VOTE_REQUEST_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&VOTE_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static VOTE_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ReplicaEpoch", Scalar(Int32), 0, MAX),
    field("ReplicaId", Scalar(Int32), 0, MAX),
    field("ReplicaDirectoryId", Scalar(Uuid), 1, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 1, MAX),
    field("LastOffsetEpoch", Scalar(Int32), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("PreVote", Scalar(Bool), 2, MAX),
]};

static VOTE_RESPONSE: S = S { name: "VoteResponse", fields: &[
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("Topics", Array(&Struct(&VOTE_RESPONSE_TOPIC_DATA)), 0, MAX),
    field("NodeEndpoints", Array(&Struct(&VOTE_RESPONSE_NODE_ENDPOINT)), 1, MAX).tagged(0, 1, MAX),
]};

static VOTE_RESPONSE_TOPIC_DATA: S = S { name: "TopicData", fields: &[
    field("TopicName", String, 0, MAX),
    field("Partitions", Array(&Struct(&VOTE_RESPONSE_PARTITION_DATA)), 0, MAX),
]};

static VOTE_RESPONSE_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("LeaderId", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("VoteGranted", Scalar(Bool), 0, MAX),
]};

static VOTE_RESPONSE_NODE_ENDPOINT: S = S { name: "NodeEndpoint", fields: &[
    field("NodeId", Scalar(Int32), 1, MAX).key(),
    field("Host", String, 1, MAX),
    field("Port", Scalar(Uint16), 1, MAX),
]};

static VOTERS_RECORD: S = S { name: "VotersRecord", fields: &[
    field("Version", Scalar(Int16), 0, MAX),
    field("Voters", Array(&Struct(&VOTERS_RECORD_VOTER)), 0, MAX),
]};

static VOTERS_RECORD_VOTER: S = S { name: "Voter", fields: &[
    field("VoterId", Scalar(Int32), 0, MAX),
    field("VoterDirectoryId", Scalar(Uuid), 0, MAX),
    field("Endpoints", Array(&Struct(&VOTERS_RECORD_ENDPOINT)), 0, MAX),
    field("KRaftVersionFeature", Struct(&VOTERS_RECORD_KRAFT_VERSION_FEATURE), 0, MAX),
]};

static VOTERS_RECORD_ENDPOINT: S = S { name: "Endpoint", fields: &[
    field("Name", String, 0, MAX).key(),
    field("Host", String, 0, MAX),
    field("Port", Scalar(Uint16), 0, MAX),
]};

static VOTERS_RECORD_KRAFT_VERSION_FEATURE: S = S { name: "KRaftVersionFeature", fields: &[
    field("MinSupportedVersion", Scalar(Int16), 0, MAX),
    field("MaxSupportedVersion", Scalar(Int16), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_REQUEST: S = S { name: "WriteShareGroupStateRequest", fields: &[
    field("GroupId", String, 0, MAX),
    field("Topics", Array(&Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_WRITE_STATE_DATA)), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_REQUEST_WRITE_STATE_DATA: S = S { name: "WriteStateData", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: S = S { name: "PartitionData", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("StateEpoch", Scalar(Int32), 0, MAX),
    field("LeaderEpoch", Scalar(Int32), 0, MAX),
    field("StartOffset", Scalar(Int64), 0, MAX),
    field("DeliveryCompleteCount", Scalar(Int32), 1, MAX),
    field("StateBatches", Array(&Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_STATE_BATCH)), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_REQUEST_STATE_BATCH: S = S { name: "StateBatch", fields: &[
    field("FirstOffset", Scalar(Int64), 0, MAX),
    field("LastOffset", Scalar(Int64), 0, MAX),
    field("DeliveryState", Scalar(Int8), 0, MAX),
    field("DeliveryCount", Scalar(Int16), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_RESPONSE: S = S { name: "WriteShareGroupStateResponse", fields: &[
    field("Results", Array(&Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_WRITE_STATE_RESULT)), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_RESPONSE_WRITE_STATE_RESULT: S = S { name: "WriteStateResult", fields: &[
    field("TopicId", Scalar(Uuid), 0, MAX),
    field("Partitions", Array(&Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)), 0, MAX),
]};

static WRITE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: S = S { name: "PartitionResult", fields: &[
    field("Partition", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
    field("ErrorMessage", String, 0, MAX).nullable_in(0, MAX),
]};

static WRITE_TXN_MARKERS_REQUEST: S = S { name: "WriteTxnMarkersRequest", fields: &[
    field("Markers", Array(&Struct(&WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER)), 0, MAX),
]};

static WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER: S = S { name: "WritableTxnMarker", fields: &[
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("ProducerEpoch", Scalar(Int16), 0, MAX),
    field("TransactionResult", Scalar(Bool), 0, MAX),
    field("Topics", Array(&Struct(&WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER_TOPIC)), 0, MAX),
    field("CoordinatorEpoch", Scalar(Int32), 0, MAX),
    field("TransactionVersion", Scalar(Int8), 2, MAX),
]};

static WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER_TOPIC: S = S { name: "WritableTxnMarkerTopic", fields: &[
    field("Name", String, 0, MAX),
    field("PartitionIndexes", Array(&Scalar(Int32)), 0, MAX),
]};

static WRITE_TXN_MARKERS_RESPONSE: S = S { name: "WriteTxnMarkersResponse", fields: &[
    field("Markers", Array(&Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_RESULT)), 0, MAX),
]};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_RESULT: S = S { name: "WritableTxnMarkerResult", fields: &[
    field("ProducerId", Scalar(Int64), 0, MAX),
    field("Topics", Array(&Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_TOPIC_RESULT)), 0, MAX),
]};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_TOPIC_RESULT: S = S { name: "WritableTxnMarkerTopicResult", fields: &[
    field("Name", String, 0, MAX),
    field("Partitions", Array(&Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_PARTITION_RESULT)), 0, MAX),
]};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_PARTITION_RESULT: S = S { name: "WritableTxnMarkerPartitionResult", fields: &[
    field("PartitionIndex", Scalar(Int32), 0, MAX),
    field("ErrorCode", Scalar(Int16), 0, MAX),
]};
