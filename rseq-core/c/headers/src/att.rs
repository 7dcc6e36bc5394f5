//! Converts x86-64 assembly from Intel syntax, which rseq-core uses, to AT&T syntax, which C compilers expect.

use crate::quote::SHIFT;

/// Converts a line to AT&T syntax. Its operands are GCC's, or registers with two percent signs. `memory` lists GCC's
/// memory operands.
pub fn line(line: &str, memory: &[&str]) -> String {
    let (label, instruction) = match line.split_once(':') {
        Some((label, rest)) if label.bytes().all(|b| b.is_ascii_digit()) => (format!("{label}: "), rest.trim()),
        _ => (String::new(), line.trim()),
    };
    let Some((name, operands)) = instruction.split_once(' ') else { return format!("{label}{instruction}") };
    if name.starts_with('.') || name.starts_with('j') {
        return format!("{label}{instruction}");
    }
    let operands: Vec<_> = operands.split(", ").map(|text| operand(text, memory)).collect();
    let suffix = operands.iter().find_map(|(size, _)| *size).unwrap_or_default();
    let name = match name {
        "movzx" => format!("movz{suffix}l"),
        "movsxd" => "movslq".to_owned(),
        _ => format!("{name}{suffix}"),
    };
    let texts: Vec<_> = operands.into_iter().rev().map(|(_, text)| text).collect();
    format!("{label}{name} {}", texts.join(", "))
}

/// The instruction suffix for an operand's size, and the operand.
fn operand(text: &str, memory: &[&str]) -> (Option<&'static str>, String) {
    let sizes = [("qword ptr ", "q"), ("dword ptr ", "l"), ("word ptr ", "w"), ("byte ptr ", "b")];
    let size = sizes.iter().find(|(size, _)| text.starts_with(size));
    let place = size.map_or(text, |(size, _)| &text[size.len()..]);
    let suffix = size.map(|(_, suffix)| *suffix);
    if text == SHIFT || text.parse::<u32>().is_ok() {
        return (None, format!("${text}"));
    }
    let (segment, place) = place.split_once(":[").map_or(("", place), |(segment, rest)| (segment, rest));
    let is_place = size.is_some() || place.starts_with("[%") && place.ends_with(']') || place.starts_with("[rip");
    if !is_place {
        return (None, text.to_owned());
    }
    let sum = place.strip_prefix('[').filter(|_| segment.is_empty()).unwrap_or(place);
    let sum = sum.strip_suffix(']').unwrap_or(sum);
    if memory.iter().any(|name| sum == format!("%[{name}]")) {
        return (suffix, sum.to_owned());
    }
    let segment = if segment.is_empty() { String::new() } else { format!("%%{segment}:") };
    (suffix, format!("{segment}{}", address(sum)))
}

fn address(sum: &str) -> String {
    let mut offset = String::new();
    let mut registers = Vec::new();
    for term in sum.split(" + ") {
        match term {
            "rip" => registers.push("%%rip".to_owned()),
            term if term.starts_with('%') => registers.push(term.replace(" * ", ", ")),
            term => offset.push_str(term),
        }
    }
    format!("{offset}({})", registers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn each_form_has_its_counterpart() {
        for (intel, att) in [
            ("cmp qword ptr [%[v]], %[expect]", "cmpq %[expect], %[v]"),
            ("mov %%rcx, qword ptr [%[w]]", "movq (%[w]), %%rcx"),
            ("cmp dword ptr fs:[%[rseq_area] + 4], %k[cpu]", "cmpl %k[cpu], %%fs:4(%[rseq_area])"),
            ("mov %%rcx, qword ptr [%%rcx + %[offset]]", "movq (%%rcx, %[offset]), %%rcx"),
            ("62:mov %%rax, qword ptr [%[src] + %%rcx + 8]", "62: movq 8(%[src], %%rcx), %%rax"),
            ("movzx %%eax, byte ptr [%[src] + %%rcx]", "movzbl (%[src], %%rcx), %%eax"),
            ("lea r11, [rip + 77b]", "lea 77b(%%rip), r11"),
            ("63: lea %%rax, [%%rcx + 16]", "63: lea 16(%%rcx), %%rax"),
            ("test %k[len], 8", "test $8, %k[len]"),
            ("jne 81b", "jne 81b"),
            ("64:", "64: "),
        ] {
            assert_eq!(line(intel, &["v"]), att);
        }
    }
}
