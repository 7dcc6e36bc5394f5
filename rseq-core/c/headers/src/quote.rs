//! Assembly as C string literals, and the placeholders in it for what the C compiler and the preprocessor know.

/// The exit's label.
pub const FAR: &str = "<far>";

/// The logarithm of the stride, an immediate.
pub const SHIFT: &str = "<shift>";

/// A line as a literal, which ends the line of the assembly. The placeholders are outside of the quotes.
pub fn literal(line: &str) -> String {
    let line = line.trim_end().replace('"', "\\\"").replace(FAR, "%l[\" __rseq_str(label) \"]");
    let line = line.replace(SHIFT, "\" __rseq_str(RSEQ_THIS_CPU_SHIFT) \"");
    format!("\"{line}\\n\\t\"")
}
