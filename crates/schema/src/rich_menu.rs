//! The rules of rich menus that no schema can say. `rules` holds those of
//! messages, and finds a rule by its name.

use serde_json::Value;

use super::access::{items, kind, member, text};
use super::finding::Finding;

/// Width divided by height is at least 1.45. In whole numbers, so that no rounding decides.
pub(super) fn ratio(size: &Value) -> Vec<Finding> {
    let pixels = |name: &str| member(size, name).and_then(Value::as_u64);
    let (Some(width), Some(height)) = (pixels("width"), pixels("height")) else {
        return Vec::new();
    };
    let highest = width.saturating_mul(100) / 145;
    if height <= highest {
        return Vec::new();
    }
    let message = format!("is too high for a width of {width}");
    vec![
        Finding::violation("/height", message)
            .expected(format!(
                "at most {highest}: a rich menu is at least 1.45 times as wide as high"
            ))
            .found(height.to_string()),
    ]
}

/// `unlinkAll` stands alone, and no menu is in two `from`.
pub(super) fn batch(operations: &Value) -> Vec<Finding> {
    let operations = items(operations);
    let mut findings = Vec::new();
    let for_all = |operation: &Value| kind(operation) == Some("unlinkAll");
    if let Some(index) = operations.iter().position(for_all)
        && !operations.iter().all(for_all)
    {
        findings.push(
            Finding::violation(format!("/{index}/type"), "stands beside other operations")
                .expected("`unlinkAll` alone")
                .hint("send the other operations in a batch of their own"),
        );
    }
    let mut seen = std::collections::HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let Some(from) = text(operation, "from") else {
            continue;
        };
        if let Some(first) = seen.get(from) {
            let message = format!("is the same rich menu as in operation {first}");
            findings.push(
                Finding::violation(format!("/{index}/from"), message)
                    .expected("each rich menu in one `from` at most"),
            );
        } else {
            seen.insert(from, index);
        }
    }
    findings
}
