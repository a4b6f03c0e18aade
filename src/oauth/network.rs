//! Where somebody calls from, as the brakes count it.

use std::net::{IpAddr, Ipv6Addr};

/// A network: an address of IPv4; of IPv6 the part that a household has alone, 2^72 addresses (RFC 6177 section 2 has a /56 for a site).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(String);

impl Network {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        Self(match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).to_string(),
            None => "nowhere".into(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_household_is_one_network() {
        let of = |text: &str| Network::of(text.parse().ok());
        assert_eq!(of("2001:db8:1:200::1"), of("2001:db8:1:2ff:9:8:7:6"));
        assert_ne!(of("2001:db8:1:200::1"), of("2001:db8:1:300::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
