// tests/dbus/private_bus.h: a system bus of one's own, with the shipped policy file itself.
//
// Goes out: an address that lives as long as the object. Any user may connect; nothing of the host's bus is used.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace aa::test {

class PrivateBus {
 public:
  enum class Policy { shipped, none };

  explicit PrivateBus(Policy policy = Policy::shipped) {
    char path[] = "/tmp/aa-bus-XXXXXX";
    if (::mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
    ::chmod(path, 0755);  // other users' clients connect too
    std::ofstream(folder_ / "bus.conf") << config(policy);
    start();
  }
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;
  ~PrivateBus() {
    stop();
    std::filesystem::remove_all(folder_);
  }

  std::string address() const { return "unix:path=" + socket().string(); }

  // The bus dies, as in a crash; start() brings a new one up at the same address.
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    std::filesystem::remove(socket());
  }

  void start() {
    const std::string option = "--config-file=" + (folder_ / "bus.conf").string();
    const std::string log = folder_ / "log";
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      ::dup2(out, 1);
      ::dup2(out, 2);
      ::execlp("dbus-daemon", "dbus-daemon", option.c_str(), "--nofork", "--nopidfile", "--nosyslog", nullptr);
      ::_exit(127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!listens()) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) throw std::runtime_error("dbus-daemon did not start: see " + log);
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no bus within 10 s");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

 private:
  std::filesystem::path socket() const { return folder_ / "socket"; }

  // The socket's file is there before anybody listens on it: only a connection proves it.
  bool listens() const {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socket().string().copy(name.sun_path, sizeof(name.sun_path) - 1);
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
  }

  std::string config(Policy policy) const {
    const std::string include =
        policy == Policy::shipped ? std::string("  <include>") + AA_BUS_POLICY + "</include>\n" : std::string();
    return R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>)" +
           address() +
           R"(</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.systemd1"/>
  </policy>
  <policy context="default">
    <allow send_destination="org.freedesktop.systemd1"/>
  </policy>
)" + include +
           "</busconfig>\n";
  }

  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

}  // namespace aa::test
