// state/monitor_tls.cpp: TLS records become events: whose they are is known here, where a connection leads too.
#include "state/monitor_impl.h"

namespace aa {
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
  if (const TlsConnectionBody* known = tls_connections.find(event.process->id, body.connection)) {
    if (known->inherited_from != 0) body.inherited_from = known->inherited_from;
    body.peer = known->peer;
    body.peer_source = known->peer_source;
  }
  deliver(step, std::move(event), owner);
}

void Monitor::Impl::on_tls_connection(const Event& event, const TlsConnectionBody& body) {
  tls_connections.put(event.process->id, body);
}

void Monitor::Impl::on_tls_closed(const Event& event, const TlsClosedBody& body) {
  tls_connections.erase(event.process->id, body.connection);
}

}  // namespace aa
