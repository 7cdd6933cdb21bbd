//! What the model's parts are built of: each layer owns its weights' handles and records kernels.

pub(crate) mod attention;
pub(crate) mod cache;
pub(crate) mod conv;
pub(crate) mod decoder;
pub(crate) mod linear;
pub(crate) mod mlp;
pub(crate) mod norm;
pub(crate) mod rope;
