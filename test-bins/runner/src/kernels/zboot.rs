//! EFI zboot images: a small EFI program around a compressed kernel, which QEMU does not unpack for every machine.
//!
//! Layout: the kernel's `drivers/firmware/efi/libstub/zboot-header.S`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, bail, ensure};

/// The kernel inside of an EFI zboot image; `None` if it is none.
pub fn payload(image: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
    let Some((compressed, method)) = find(image)? else { return Ok(None) };
    let tool = match method {
        "gzip" | "xz" | "zstd" => method,
        "lzma" => "xz",
        other => bail!("the kernel is packed with '{other}', which is not known here"),
    };
    filter(tool, compressed).map(Some)
}

fn find(image: &[u8]) -> anyhow::Result<Option<(&[u8], &str)>> {
    if !image.starts_with(b"MZ") || image.get(4..8) != Some(b"zimg") {
        return Ok(None);
    }
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    let parts = || {
        let (start, size) = (word(8)?, word(12)?);
        let name = image.get(24..56)?.split(|&byte| byte == 0).next()?;
        Some((image.get(start..start.checked_add(size)?)?, std::str::from_utf8(name).ok()?))
    };
    parts().map(Some).context("the kernel's zboot header is damaged")
}

fn filter(tool: &str, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new(tool);
    command.args(["-dcq"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{tool} is needed to unpack the kernel"))?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    let output = thread::scope(|scope| {
        // A tool that ends early is seen by its empty output.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.with_context(|| tool.to_owned())?;
    // gzip complains about what follows its data, which is the image's padding.
    ensure!(!output.stdout.is_empty(), "{tool} cannot unpack the kernel ({})", output.status);
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(method: &str, start: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[4..8].copy_from_slice(b"zimg");
        bytes[8..12].copy_from_slice(&start.to_le_bytes());
        bytes[12..16].copy_from_slice(&(data.len() as u32).to_le_bytes());
        bytes[24..24 + method.len()].copy_from_slice(method.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn the_payload_is_where_the_header_says() {
        let image = image("zstd", 64, b"data");
        assert_eq!(find(&image).unwrap(), Some((&b"data"[..], "zstd")));
        assert_eq!(find(b"MZ a plain EFI image").unwrap(), None);
    }

    #[test]
    fn damage_is_an_error() {
        assert!(payload(&image("zstd", u32::MAX, b"data")).unwrap_err().to_string().contains("damaged"));
        assert!(payload(&image("rar", 64, b"data")).unwrap_err().to_string().contains("'rar'"));
        assert!(payload(&image("gzip", 64, b"no gzip data")).unwrap_err().to_string().contains("cannot unpack"));
        assert!(payload(&image("gzip", 64, b"x")[..40]).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn gzip_is_unpacked() {
        // gzip of "kernel".
        let data = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xcb\x4e\x2d\xca\x4b\xcd\x01\0\xab\x9a\xd2\x5d\x06\0\0\0";
        let found = payload(&image("gzip", 64, data)).unwrap();
        assert_eq!(found.as_deref(), Some(&b"kernel"[..]));
    }
}
