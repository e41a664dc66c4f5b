use super::*;

fn split_text(text: &str) -> (String, String) {
    let CertificatesAndKeys { certificates, keys } = split(text);
    let read = |bytes: Sensitive<Vec<u8>>| String::from_utf8(bytes.expose().clone()).unwrap();
    (read(certificates), read(keys))
}

const CERT: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAwQF\n-----END PRIVATE KEY-----\n";
const NONE: &str = "";

#[test]
fn blocks_are_sorted_by_label_and_keep_their_order() {
    let rsa = KEY.replace("PRIVATE", "RSA PRIVATE");
    let other = CERT.replace("AAEC", "BgcI");
    let text = format!("{KEY}{CERT}{rsa}{other}");
    assert_eq!(split_text(&text), (format!("{CERT}{other}"), format!("{KEY}{rsa}")));
}

#[test]
fn what_is_not_a_block_is_dropped() {
    let rows: [(&str, String, &str, &str); 20] = [
        ("empty", String::new(), NONE, NONE),
        ("text without blocks", "hello\n".into(), NONE, NONE),
        ("text around", format!("Bag Attributes\n{CERT}between\n{KEY}after"), CERT, KEY),
        ("CRLF", format!("{CERT}{KEY}").replace('\n', "\r\n"), CERT, KEY),
        ("no line end at the end", format!("{KEY}{CERT}").trim_end().into(), CERT, KEY),
        ("lone CR at the end", format!("{KEY}{CERT}").trim_end().to_owned() + "\r", NONE, KEY),
        ("blanks after lines", CERT.replace('\n', " \t\n"), CERT, NONE),
        ("blanks within lines", CERT.replace("AAEC", "A A\tEC"), CERT, NONE),
        ("blanks before BEGIN", format!(" {CERT}{KEY}"), NONE, KEY),
        ("lines of other lengths", CERT.replace("AAEC", "AA\nE\nC"), CERT, NONE),
        ("other label at END", format!("{}{KEY}", CERT.replace("END CERT", "END ")), NONE, KEY),
        ("text behind END", format!("{}{KEY}", CERT.replace("-----\n", "-----x\n")), NONE, KEY),
        ("END without BEGIN", format!("x\n-----END CERTIFICATE-----\n{KEY}"), NONE, KEY),
        ("BEGIN without END", format!("-----BEGIN CERTIFICATE-----\nAAEC\n{KEY}"), NONE, KEY),
        ("END missing at the end", format!("{CERT}-----BEGIN PRIVATE KEY-----\nAwQF\n"), CERT, NONE),
        ("base64 without padding", format!("{}{KEY}", CERT.replace("AAEC", "AAE")), NONE, KEY),
        ("not base64", format!("{}{KEY}", CERT.replace("AAEC", "A*EC")), NONE, KEY),
        (
            "BEGIN line cut",
            format!("{}{KEY}", CERT.replace("CERTIFICATE-----\nA", "CERTIFICATE\nA")),
            NONE,
            KEY,
        ),
        ("not ASCII", format!("schlüssel\n{KEY}schlüssel\n{CERT}"), CERT, KEY),
        ("headers to the end", format!("{CERT}-----BEGIN X-----\na: b\n-----END X: -----\n"), CERT, NONE),
    ];
    for (label, text, certificates, keys) in rows {
        assert_eq!(split_text(&text), (certificates.to_owned(), keys.to_owned()), "{label}");
    }
}

#[test]
fn an_empty_block_is_kept() {
    let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    assert_eq!(split_text(empty), (empty.to_owned(), String::new()));
}

#[test]
fn headers_are_kept_and_ordered() {
    let text = "-----BEGIN RSA PRIVATE KEY-----\nX-B:  2 \nDEK-Info: AES,00\nProc-Type: 4,ENCRYPTED\nX-B: 3\n\nAwQF\n\
                -----END RSA PRIVATE KEY-----\n";
    let written = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\nX-B: 3\n\nAwQF\n\
                   -----END RSA PRIVATE KEY-----\n";
    assert_eq!(split_text(text), (String::new(), written.to_owned()));
}

#[test]
fn lines_are_of_64_columns() {
    for (length, lines) in
        [(0, vec![]), (1, vec![4]), (47, vec![64]), (48, vec![64]), (49, vec![64, 4]), (96, vec![64, 64])]
    {
        let mut text = PemText::new();
        text.push_block("X", &vec![0xa5; length]);
        let text = text.as_str().to_owned();
        let body: Vec<_> = text.lines().filter(|line| !line.starts_with("-----")).map(str::len).collect();
        assert_eq!(body, lines, "{length} bytes");
        assert_eq!(split_text(&text).1, text, "{length} bytes");
    }
}

#[test]
fn broken_text_never_panics() {
    let text = format!("é{KEY}a: b\n{CERT}-----BEGIN é-----\nk: v\n\nAAEC\n-----END é-----\n");
    for cut in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
        split(&text[..cut]);
        split(&text[cut..]);
        for insert in ["\n", ":", "-----", "\n-----END ", "-----BEGIN ", "=", "\r"] {
            split(&format!("{}{insert}{}", &text[..cut], &text[cut..]));
        }
    }
}

#[test]
fn megabytes_without_a_block_give_none() {
    const MEGABYTE: usize = 1 << 20;
    for (label, piece) in [
        ("BEGIN only", "-----BEGIN CERTIFICATE-----\n"),
        ("END only", "\n-----END CERTIFICATE-----\n"),
        ("BEGIN in one line", "-----BEGIN "),
        ("END without a label", "\n-----END "),
        ("headers", "-----BEGIN A-----\na: b\n"),
        ("broken blocks", "-----BEGIN A-----\n*\n-----END A-----\n"),
        ("labels that differ", "-----BEGIN A-----\nAAEC\n-----END B-----\n"),
        ("dashes", "-"),
        ("line ends", "\n"),
        ("text", "garbage"),
    ] {
        let text = piece.repeat(4 * MEGABYTE / piece.len());
        assert_eq!(split_text(&text), (String::new(), String::new()), "{label}");
    }
}
