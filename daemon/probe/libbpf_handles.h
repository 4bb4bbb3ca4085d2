// probe/libbpf_handles.h: who frees what libbpf gives.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace aa {

struct LinkDeleter {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using LinkPtr = std::unique_ptr<bpf_link, LinkDeleter>;

}  // namespace aa
