/* Stands in for NVIDIA's management library (libnvidia-ml.so.1), so that its real Python bindings can be tested without a GPU.
 *
 * Four GPUs of two kinds: 0 and 1 have 80 GB and tell all, 2 and 3 have 24 GB, no error correction and no power limit. 2 is
 * throttled, 3 idle. GPU 0 can be cut into two MIG slices.
 *
 * What goes wrong is told by files in the folder that NVML_STANDIN names, looked for at each call:
 *   no-driver   there is no driver (any more)
 *   unknown     each call about a GPU fails with "Unknown Error"
 *   hang        reading a utilisation does not return until the file is gone
 *   lost-N      GPU N has fallen off the bus
 *   xid-N       GPU N has had the critical error whose number is in the file; told once, the file is removed
 *   mig         GPU 0 is cut into slices
 *
 * Compiled with -DOLD_DRIVER it lacks what drivers got later: event reasons by their new name, and events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9, TIMEOUT = 10, GPU_IS_LOST = 15, UNKNOWN = 999
};

typedef struct { int gpu, slice; const char *uuid; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int gpu, memory; } Utilization;
typedef struct { Device *device; unsigned long long type, data; unsigned int gpu_instance, compute_instance; } Event;

static Device devices[] = {
    {0, 0, "GPU-00000000-0000-0000-0000-000000000000"}, {1, 0, "GPU-00000000-0000-0000-0000-000000000001"},
    {2, 0, "GPU-00000000-0000-0000-0000-000000000002"}, {3, 0, "GPU-00000000-0000-0000-0000-000000000003"},
    {0, 1, "MIG-00000000-0000-0000-0000-000000000010"}, {0, 2, "MIG-00000000-0000-0000-0000-000000000020"},
};
static int references = 0;

static const char *trouble(const char *name, int gpu)
{
    static __thread char path[4096];
    const char *folder = getenv("NVML_STANDIN");
    snprintf(path, sizeof path, gpu < 0 ? "%s/%s" : "%s/%s-%d", folder ? folder : "", name, gpu);
    return access(path, F_OK) == 0 ? path : NULL;
}

static int state(const Device *device)
{
    if (trouble("no-driver", -1)) return DRIVER_NOT_LOADED;
    if (references == 0) return UNINITIALIZED;
    if (device == NULL) return SUCCESS;
    if (trouble("unknown", -1)) return UNKNOWN;
    return trouble("lost", device->gpu) ? GPU_IS_LOST : SUCCESS;
}

#define CHECK(device) do { int checked = state(device); if (checked != SUCCESS) return checked; } while (0)

static int write_text(char *buffer, unsigned int size, const char *text)
{
    return snprintf(buffer, size, "%s", text) < (int) size ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlInitWithFlags(unsigned int flags)
{
    (void) flags;
    if (trouble("no-driver", -1)) return DRIVER_NOT_LOADED;
    references++;
    return SUCCESS;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void)
{
    if (references == 0) return UNINITIALIZED;
    references--;
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    switch (code) {
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    case NOT_FOUND: return "Not Found";
    default: return "Unknown Error";
    }
}

int nvmlDeviceGetCount_v2(unsigned int *count) { CHECK(NULL); *count = 4; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, Device **device)
{
    CHECK(NULL);
    if (index >= 4) return INVALID_ARGUMENT;
    *device = &devices[index];
    return state(*device);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device **device)
{
    CHECK(NULL);
    for (size_t place = 0; place < sizeof devices / sizeof *devices; place++)
        if (strcmp(uuid, devices[place].uuid) == 0 && (devices[place].slice == 0 || trouble("mig", -1))) {
            *device = &devices[place];
            return state(*device);
        }
    return NOT_FOUND;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device *slice, Device **device)
{
    CHECK(slice);
    if (slice->slice == 0) return INVALID_ARGUMENT;
    *device = &devices[slice->gpu];
    return SUCCESS;
}

int nvmlDeviceGetUUID(Device *device, char *buffer, unsigned int size)
{
    CHECK(device);
    return write_text(buffer, size, device->uuid);
}

int nvmlDeviceGetName(Device *device, char *buffer, unsigned int size)
{
    CHECK(device);
    const char *name = device->gpu < 2 ? "Stand-in 80GB" : "Stand-in 24GB";
    return write_text(buffer, size, device->slice ? "Stand-in 80GB MIG 1g.10gb" : name);
}

int nvmlDeviceGetIndex(Device *device, unsigned int *index)
{
    CHECK(device);
    if (device->slice) return NOT_SUPPORTED;
    *index = device->gpu;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory)
{
    CHECK(device);
    memory->total = (device->slice ? 10ull : device->gpu < 2 ? 80ull : 24ull) << 30;
    memory->used = (1ull + device->gpu) << 30;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *rates)
{
    while (trouble("hang", -1)) usleep(20000);
    CHECK(device);
    if (device->slice || (device->gpu == 0 && trouble("mig", -1))) return NOT_SUPPORTED;
    rates->gpu = device->gpu == 3 ? 0 : 90 + device->gpu;
    rates->memory = 10;
    return SUCCESS;
}

/* What a slice leaves to the whole GPU. */
#define OF_WHOLE_GPU(device) do { CHECK(device); if ((device)->slice) return NOT_SUPPORTED; } while (0)

int nvmlDeviceGetPowerUsage(Device *device, unsigned int *milliwatts)
{
    OF_WHOLE_GPU(device);
    *milliwatts = 250500 + 1000 * device->gpu;
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned int *milliwatts)
{
    OF_WHOLE_GPU(device);
    if (device->gpu >= 2) return NOT_SUPPORTED;
    *milliwatts = 700000;
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(Device *device, int clock, unsigned int *megahertz)
{
    OF_WHOLE_GPU(device);
    if (clock != 1) return INVALID_ARGUMENT;
    *megahertz = device->gpu == 2 ? 900 : 1700;
    return SUCCESS;
}

int nvmlDeviceGetMaxClockInfo(Device *device, int clock, unsigned int *megahertz)
{
    OF_WHOLE_GPU(device);
    if (clock != 1) return INVALID_ARGUMENT;
    *megahertz = 1980;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device *device, int sensor, unsigned int *celsius)
{
    OF_WHOLE_GPU(device);
    if (sensor != 0) return INVALID_ARGUMENT;
    *celsius = device->gpu == 2 ? 91 : 60;
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(Device *device, int kind, int counter, unsigned long long *count)
{
    OF_WHOLE_GPU(device);
    if (kind != 1 || counter != 0) return INVALID_ARGUMENT;
    if (device->gpu >= 2) return NOT_SUPPORTED;
    *count = device->gpu;
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device *device, unsigned long long *reasons)
{
    OF_WHOLE_GPU(device);
    *reasons = device->gpu == 2 ? 0x4 | 0x40 : device->gpu == 3 ? 0x1 : 0;
    return SUCCESS;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(Device *device, unsigned long long *reasons)
{
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}

typedef struct { Device *device; } EventSet;

int nvmlEventSetCreate(EventSet **set)
{
    CHECK(NULL);
    *set = calloc(1, sizeof **set);
    return *set ? SUCCESS : UNKNOWN;
}

int nvmlDeviceRegisterEvents(Device *device, unsigned long long types, EventSet *set)
{
    OF_WHOLE_GPU(device);
    if (types != 8) return NOT_SUPPORTED;
    set->device = device;
    return SUCCESS;
}

int nvmlEventSetWait_v2(EventSet *set, Event *event, unsigned int milliseconds)
{
    (void) milliseconds;
    CHECK(NULL);
    const char *path = set->device ? trouble("xid", set->device->gpu) : NULL;
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file == NULL) return TIMEOUT;
    memset(event, 0, sizeof *event);
    event->device = set->device;
    event->type = 8;
    int read = fscanf(file, "%llu", &event->data);
    fclose(file);
    unlink(path);
    return read == 1 ? SUCCESS : TIMEOUT;
}

int nvmlEventSetFree(EventSet *set) { free(set); return SUCCESS; }
#endif
