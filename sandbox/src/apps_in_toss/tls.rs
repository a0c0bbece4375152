//! The certificates of mutual TLS: an authority of the sandbox's own, its server, and clients for the mini-app. Written
//! on the first start and used again; renewed when they are about to end.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use time::{Duration, OffsetDateTime};

/// About 13 months, as Toss's certificates live (toss-api.md B1.1).
const LIFE: Duration = Duration::days(395);
/// A certificate with less than this left is made anew at the next start.
const RENEW: Duration = Duration::days(60);

/// A certificate and its private key, as PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    pub cert_pem: String,
    pub key_pem: String,
}

/// Who signs.
pub struct Authority {
    pub ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Jangbu sandbox");
    name.push(DnType::CommonName, common_name);
    name
}

impl Authority {
    pub fn new() -> anyhow::Result<(Self, Pair)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Jangbu sandbox Root CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = now() - Duration::DAY;
        params.not_after = now() + Duration::days(3650);
        let cert = params.self_signed(&key)?;
        let pair = Pair { cert_pem: cert.pem(), key_pem: key.serialize_pem() };
        Ok((Self { ca_pem: pair.cert_pem.clone(), issuer: Issuer::new(params, key) }, pair))
    }

    fn read(pair: &Pair) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(&pair.key_pem)?;
        Ok(Self { ca_pem: pair.cert_pem.clone(), issuer: Issuer::from_ca_cert_pem(&pair.cert_pem, key)? })
    }

    /// A client certificate whose common name is the mini-app's.
    pub fn client(
        &self,
        common_name: &str,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> anyhow::Result<Pair> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, common_name, from, until)
    }

    /// For this machine and, should the sandbox run elsewhere, for `hosts`.
    pub fn server(&self, hosts: &[String]) -> anyhow::Result<Pair> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend_from_slice(hosts);
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, "apps-in-toss sandbox", now() - Duration::DAY, now() + LIFE)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        common_name: &str,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> anyhow::Result<Pair> {
        let key = KeyPair::generate()?;
        params.distinguished_name = name(common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = from;
        params.not_after = until;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }

    /// What a server needs that lets in only whom this authority has signed.
    pub fn server_config(&self, server: &Pair) -> anyhow::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes())?)?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let chain =
            CertificateDer::pem_slice_iter(server.cert_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Everything in a folder: `ca`, `server`, `client` and `client-next`, each as `.pem` with its `.key`.
    pub fn in_folder(folder: &Path, hosts: &[String]) -> anyhow::Result<(Self, Pair)> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let authority = match load(folder, "ca")? {
            Some(pair) => {
                Self::read(&pair).context("ca.pem and ca.key: remove the folder to have new ones")?
            }
            None => {
                let (authority, pair) = Self::new()?;
                save(folder, "ca", &pair)?;
                authority
            }
        };
        let kept = |name: &str, make: &dyn Fn() -> anyhow::Result<Pair>| -> anyhow::Result<Pair> {
            if let Some(pair) = load(folder, name)?
                && toss::apps_in_toss::Identity::from_pem(&pair.cert_pem, &pair.key_pem)
                    .is_ok_and(|identity| identity.not_after - now() > RENEW)
            {
                return Ok(pair);
            }
            let pair = make()?;
            save(folder, name, &pair)?;
            Ok(pair)
        };
        let (from, until) = (now() - Duration::DAY, now() + LIFE);
        let server = kept("server", &|| authority.server(hosts))?;
        kept("client", &|| authority.client("jangbu-mini-app", from, until))?;
        kept("client-next", &|| authority.client("jangbu-mini-app", from, until + Duration::days(180)))?;
        Ok((authority, server))
    }
}

fn load(folder: &Path, name: &str) -> anyhow::Result<Option<Pair>> {
    let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    if !cert.exists() || !key.exists() {
        return Ok(None);
    }
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok(Some(Pair { cert_pem: read(&cert)?, key_pem: read(&key)? }))
}

fn save(folder: &Path, name: &str, pair: &Pair) -> anyhow::Result<()> {
    write(&folder.join(format!("{name}.pem")), &pair.cert_pem, 0o644)?;
    write(&folder.join(format!("{name}.key")), &pair.key_pem, 0o600)
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut options = std::fs::File::options();
    let mut file = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "TLS goes by the machine's clock, not by the sandbox's")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
