// cli/summary.cpp: what an account of a command ends with.
#include "account.h"
#include "base/text.h"

namespace aa {

std::string summary_text(const Account::Totals& totals, const Ending& ending, const Style& style) {
  std::string text = counted(totals.processes, "process", "processes") + ", " +
                     counted(totals.programs, "distinct program", "distinct programs") + ", deepest level " +
                     std::to_string(totals.deepest) + "; " +
                     counted(totals.delivered, "event delivered", "events delivered") + ", ";
  const std::string lost = counted(ending.lost, "event lost", "events lost");
  text = paint(style, Ink::bold, text) + paint(style, ending.lost == 0 ? Ink::bold : Ink::red, lost) + '\n';
  if (totals.failed_execs > 0) {
    text += counted(totals.failed_execs, "attempt", "attempts") + " to run a program failed\n";
  }
  if (totals.alerts > 0) text += paint(style, Ink::yellow, counted(totals.alerts, "alert", "alerts")) + '\n';
  if (ending.refused > 0) {
    text += paint(style, Ink::red,
                  counted(ending.refused, "process was", "processes were") +
                      " refused: the target's share, or the whole table of watched processes, was full; what they did "
                      "was not seen") +
            '\n';
  }
  if (ending.running > 0) {
    text += ending.running == 1 ? "1 process is still running and watched"
                                : std::to_string(ending.running) + " processes are still running and watched";
    text += ": aactl events -f --target " + shell_quote(ending.target) + '\n';
  }
  if (!ending.incomplete.empty()) {
    text += paint(style, Ink::red, "this account is incomplete: " + for_terminal(ending.incomplete)) + '\n';
  }
  return text;
}

}  // namespace aa
