// state/monitor_tls.cpp: TLS records become events: whose they are is known here, which connections a fork copied too.
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
  const auto copied = tls_copies.find({event.process->id, body.connection});
  if (copied != tls_copies.end()) body.inherited_from = copied->second;
  deliver(step, std::move(event), owner);
}

void Monitor::Impl::on_tls_connection(const Event& event, const TlsConnectionBody& body) {
  tls_copies[{event.process->id, body.connection}] = body.inherited_from;
}

void Monitor::Impl::on_tls_closed(const Event& event, const TlsClosedBody& body) {
  tls_copies.erase({event.process->id, body.connection});
}

void Monitor::Impl::forget_tls(const ProcessId& id) {
  tls_copies.erase(tls_copies.lower_bound({id, 0}), tls_copies.upper_bound({id, UINT32_MAX}));
}

}  // namespace aa
