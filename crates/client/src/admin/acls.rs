//! Access control lists: describe.

use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use milena_connection::Target;

use super::Admin;
use super::call::{AdminRequest, Errors};
use crate::error::Error;

/// The number by which a filter of Kafka matches everything.
const ANY: i8 = 1;

/// One rule: who may, or may not, do what with which resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AclBinding {
    /// The kind of resource, by Kafka's number: 2 topic, 3 group, 4 cluster, 5 transactional id, 6 delegation
    /// token, 7 user.
    pub resource_type: i8,
    /// The resource's name, or the start of it: see [`pattern_type`](Self::pattern_type).
    pub resource_name: String,
    /// How the name matches, by Kafka's number: 3 the whole name, 4 its start.
    pub pattern_type: i8,
    /// Whom the rule is about, such as `User:alice`.
    pub principal: String,
    /// From which host, `*` for all.
    pub host: String,
    /// The operation, by Kafka's number, such as 2 all, 3 read, 4 write.
    pub operation: i8,
    /// Whether it is denied (2) or allowed (3).
    pub permission_type: i8,
}

impl AdminRequest for DescribeAclsRequest {
    fn errors(response: &DescribeAclsResponse) -> Errors<'_> {
        Errors::Whole {
            code: response.error_code,
            message: response.error_message.as_deref(),
        }
    }

    fn throttle_ms(response: &DescribeAclsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl Admin {
    /// All rules of the cluster's access control lists, in no order.
    ///
    /// # Errors
    /// [`Error::Broker`] with SECURITY_DISABLED where no authorizer is configured, and with
    /// CLUSTER_AUTHORIZATION_FAILED without the right to describe the cluster;
    /// [`Error::UnsupportedVersion`] from brokers that do not serve the request, such as the embedded one.
    /// What passes is repeated for 60 s.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "describeAcls")]
    pub async fn describe_acls(&self) -> Result<Vec<AclBinding>, Error> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_pattern_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let mut repetition = self.repetition();
        let answered = self.ask(&mut repetition, &Target::Any, &request).await?;
        Ok(answered
            .response
            .resources
            .iter()
            .flat_map(bindings)
            .collect())
    }
}

fn bindings(resource: &DescribeAclsResource) -> impl Iterator<Item = AclBinding> + '_ {
    let binding = |acl: &AclDescription| AclBinding {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.to_string(),
        pattern_type: resource.pattern_type,
        principal: acl.principal.to_string(),
        host: acl.host.to_string(),
        operation: acl.operation,
        permission_type: acl.permission_type,
    };
    resource.acls.iter().map(binding)
}
