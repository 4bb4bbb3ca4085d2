// probe/tls_stacks.h: TLS implementations that are recognised, and not listened to yet.
#pragma once

#include <string>

namespace aa {

// A sentence about the file's own TLS, "" when none was recognised: by its name (NSS, Java), by a note in it (Go), by
// strings that are in every build (BoringSSL, rustls). `link` is what is opened. Cost: as far as 256 MiB of the file.
std::string uncovered_stack(const std::string& name, const std::string& link);

}  // namespace aa
