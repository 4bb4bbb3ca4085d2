// probe/shared_maps.h: one copy of what all families share: who is watched, what was counted, where urgent records go.
#pragma once

#include <bpf/libbpf.h>

#include "base/result.h"
#include "probe/exec_family.h"

namespace aa {

// Before load: the object's maps of these names become the exec family's.
Status share_maps(bpf_object* object, const ExecFamily& exec);

}  // namespace aa
