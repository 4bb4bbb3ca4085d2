// base/quiet_thread.h: a helper thread that takes no signals: those are the loop's.
#pragma once

#include <signal.h>

#include <thread>
#include <utility>

namespace aa {

template <class Run>
std::thread quiet_thread(Run&& run) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::forward<Run>(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace aa
