"""TLS contexts from the PEM texts of an ``SSLConfig``."""

import ssl
import tempfile
from pathlib import Path

from kilnworks.components.serving.settings.options import TlsConfig
from kilnworks.schemas.errors import ConfigError


def server_context(config: TlsConfig) -> ssl.SSLContext:
    """A context for an HTTP/1.1 server: it shows ``server_cert``; with ``client_verify`` it asks for a client's.

    Raises:
        ConfigError: key and certificate do not fit together, or a text is not PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
            certificate.write_text(config.server_cert, encoding="ascii")
            key.touch(mode=0o600)
            key.write_text(config.server_key, encoding="ascii")
            context.load_cert_chain(certificate, key)
        if config.custom_ca:
            context.load_verify_locations(cadata=config.custom_ca)
        elif config.client_verify:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"TLS files that cannot be used: {error}",
            "server_key and server_cert (and custom_ca) as PEM texts that belong together",
            "check the file given by --ssl_config_file or --rest_api_ssl_config_file",
        ) from None
    if config.client_verify:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
