// state/monitor_tls.cpp: TLS records become events: whose they are is known here, where a connection leads too.
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kMostConnections = 65'536;  // beyond what the kernel knows at once: not every end is told

}  // namespace

// A TLS record is short: of its process it names the id only.
void Monitor::Impl::complete_process(ProcessRef& ref) const {
  ref.ns_pid = ref.id.pid;
  const Process* process = lineage.get(ref.id);
  if (process == nullptr) return;
  ref.parent = process->parent;
  ref.parent_source = process->parent_source;
  ref.ns_pid = process->ns_pid;
  ref.uid = process->uid;
  ref.gid = process->gid;
  ref.comm = process->comm;
  if (process->cgroup != nullptr) ref.cgroup = *process->cgroup;
}

void Monitor::Impl::on_tls(Step& step, Event event, const SlotTable::Owner* owner) {
  complete_process(*event.process);
  observe(step, event, key_of(owner));
  auto& body = std::get<TlsBody>(event.body);
  if (const auto known = tls_connections.find({event.process->id, body.connection}); known != tls_connections.end()) {
    if (known->second.inherited_from != 0) body.inherited_from = known->second.inherited_from;
    body.peer = known->second.peer;
    body.peer_source = known->second.peer_source;
  }
  deliver(step, std::move(event), owner);
}

void Monitor::Impl::on_tls_connection(const Event& event, const TlsConnectionBody& body) {
  tls_connections[{event.process->id, body.connection}] = body;
  if (tls_connections.size() > kMostConnections)
    tls_connections.erase(tls_connections.begin());  // its peer is forgotten
}

void Monitor::Impl::on_tls_closed(const Event& event, const TlsClosedBody& body) {
  tls_connections.erase({event.process->id, body.connection});
}

void Monitor::Impl::forget_tls(const ProcessId& id) {
  tls_connections.erase(tls_connections.lower_bound({id, 0}), tls_connections.upper_bound({id, UINT32_MAX}));
}

}  // namespace aa
