/* A service manager as far as the daemon asks one: org.freedesktop.systemd1 on the bus at ADDRESS, with these units.
 *
 *   fake_systemd ADDRESS UNIT=ID,LOAD_STATE,CONTROL_GROUP,SLICE …
 *
 * Says "ready" and serves until it is killed. A unit that is not listed is "not-found". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define UNITS "/org/freedesktop/systemd1/unit"
enum { ID, LOAD_STATE, CONTROL_GROUP, SLICE, FIELDS };
static const char* const kProperties[FIELDS] = {"Id", "LoadState", "ControlGroup", "Slice"};

static int unit_count;
static char** units;

/* A field of a unit's words, as new memory. */
static char* field_of(const char* unit, int field) {
  size_t length = strlen(unit);
  for (int i = 0; i < unit_count; i++) {
    if (strncmp(units[i], unit, length) != 0 || units[i][length] != '=') continue;
    const char* at = units[i] + length + 1;
    while (field-- > 0) at += strcspn(at, ",") + 1;
    return strndup(at, strcspn(at, ","));
  }
  return strdup(field == ID ? unit : field == LOAD_STATE ? "not-found" : "");
}

static int load_unit(sd_bus_message* call) {
  const char* name = NULL;
  char* path = NULL;
  int error = sd_bus_message_read(call, "s", &name);
  if (error >= 0) error = sd_bus_path_encode(UNITS, name, &path);
  if (error >= 0) error = sd_bus_reply_method_return(call, "o", path);
  free(path);
  return error < 0 ? error : 1;
}

static int get_property(sd_bus_message* call) {
  const char *interface = NULL, *property = NULL;
  char* unit = NULL;
  int error = sd_bus_message_read(call, "ss", &interface, &property);
  if (error >= 0) error = sd_bus_path_decode(sd_bus_message_get_path(call), UNITS, &unit);
  for (int field = 0; error >= 0 && field < FIELDS; field++) {
    if (strcmp(property, kProperties[field]) != 0) continue;
    char* value = field_of(unit, field);
    error = sd_bus_reply_method_return(call, "v", "s", value);
    free(value);
    free(unit);
    return error < 0 ? error : 1;
  }
  free(unit);
  return error < 0 ? error : 0;
}

static int on_message(sd_bus_message* message, void* data, sd_bus_error* error) {
  (void)data;
  (void)error;
  if (sd_bus_message_is_method_call(message, "org.freedesktop.systemd1.Manager", "LoadUnit")) return load_unit(message);
  if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get")) return get_property(message);
  return 0;
}

int main(int argc, char** argv) {
  sd_bus* bus = NULL;
  if (argc < 2 || sd_bus_new(&bus) < 0) return 120;
  units = argv + 2;
  unit_count = argc - 2;
  if (sd_bus_set_address(bus, argv[1]) < 0 || sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0 ||
      sd_bus_add_filter(bus, NULL, on_message, NULL) < 0 || sd_bus_request_name(bus, "org.freedesktop.systemd1", 0) < 0)
    return 121;
  puts("ready");
  fflush(stdout);
  for (;;) {
    int handled = sd_bus_process(bus, NULL);
    if (handled < 0 || (handled == 0 && sd_bus_wait(bus, (uint64_t)-1) < 0)) return 122;
  }
}
