//! Stand-in.

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id
    pub id: String,
    /// Name
    pub name: String,
    /// Admin
    pub is_admin: bool,
}
