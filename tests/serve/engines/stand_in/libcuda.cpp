// A stand-in for the CUDA driver on a machine without a GPU: as much of cuda.h as serving calls, on host memory.
//
// It is stricter than a GPU. Nothing of a stream is done before somebody waits for it, so that a result read too early
// is not there yet. Copies and kernels must lie within live allocations of the right side, and every call wants a
// current context. Kernels are those of kernels/cuda, compiled by g++; a fatbin is its header and a text of chips and names.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "launch.h"

namespace {

enum {
    kSuccess = 0,
    kInvalidValue = 1,
    kOutOfMemory = 2,
    kInvalidImage = 200,
    kInvalidContext = 201,
    kNoBinaryForGpu = 209,
    kNotFound = 500,
    kInvalidated = 901
};

using Work = std::vector<std::function<void()>>;

struct Stream {
    Work queued, captured;
    bool is_capturing = false, is_broken = false;
};

struct FatbinHeader {
    uint32_t magic;
    uint16_t version, header_size;
    uint64_t size;
};

struct Module {
    std::string content;
    std::map<std::string, std::string> functions;  // their addresses are the handles
};

std::recursive_mutex lock;
std::map<uint64_t, size_t> device_memory, host_memory, mapped_memory;  // mapped: the host's that the device sees too
std::map<std::string, int> failures;  // errors of all coming calls, by function
int objects = 0;                      // streams, graphs, modules and retained contexts that live
int context;                          // its address is the primary context
thread_local int depth = 0;           // of this thread's stack of contexts

bool within(const std::map<uint64_t, size_t>& memory, uint64_t address, size_t size) {
    auto next = memory.upper_bound(address);
    if (next == memory.begin()) return false;
    --next;
    return address + size <= next->first + next->second;
}

int failure(const char* function) {
    const auto found = failures.find(function);
    return found == failures.end() ? kSuccess : found->second;
}

int enter(const char* function) {
    if (const int error = failure(function)) return error;
    return depth > 0 ? kSuccess : kInvalidContext;
}

int tell(Stream* stream, std::function<void()> work) {
    (stream->is_capturing ? stream->captured : stream->queued).push_back(std::move(work));
    return kSuccess;
}

int copy(const char* function, uint64_t to, uint64_t from, uint64_t device, uint64_t host, size_t size, Stream* stream) {
    if (const int error = enter(function)) return error;
    if (!within(device_memory, device, size) || !within(host_memory, host, size)) return kInvalidValue;
    return tell(stream, [=] { memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), size); });
}

int allocate(const char* function, std::map<uint64_t, size_t>& memory, uint64_t* address, size_t size) {
    if (const int error = enter(function)) return error;
    *address = reinterpret_cast<uint64_t>(malloc(size));
    memset(reinterpret_cast<void*>(*address), 0xCC, size);
    memory[*address] = size;
    return kSuccess;
}

int release(const char* function, std::map<uint64_t, size_t>& memory, uint64_t address) {
    if (const int error = enter(function)) return error;
    if (memory.erase(address) == 0) return kInvalidValue;
    free(reinterpret_cast<void*>(address));
    return kSuccess;
}

}  // namespace

#define GUARD const std::lock_guard<std::recursive_mutex> guard(lock)

extern "C" {

int cuInit(unsigned) { return failure("cuInit"); }
int cuDriverGetVersion(int* version) { return *version = 13000, kSuccess; }
int cuDeviceGet(int* device, int) { return *device = 0, kSuccess; }
int cuDeviceGetName(char* name, int size, int) { return strncpy(name, "Stand-in", size), kSuccess; }
int cuDeviceGetAttribute(int* value, int which, int) {
    const bool integrated = getenv("STAND_IN_INTEGRATED") != nullptr;
    return *value = which == 75 ? 8 : which == 18 ? integrated : 7, kSuccess;
}
int cuGetErrorName(int error, const char** name) {
    *name = error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OF_THE_STAND_IN";
    return kSuccess;
}
int cuGetErrorString(int error, const char** text) { return cuGetErrorName(error, text); }

int cuDevicePrimaryCtxRetain(void** of, int) { return ++objects, *of = &context, kSuccess; }
int cuDevicePrimaryCtxRelease_v2(int) { return --objects, kSuccess; }
int cuCtxPushCurrent_v2(void* of) { return of == &context ? ++depth, kSuccess : kInvalidContext; }
int cuCtxPopCurrent_v2(void** of) {
    if (depth == 0) return kInvalidContext;
    if (of) *of = &context;
    return --depth, kSuccess;
}
int cuCtxGetCurrent(void** of) { return *of = depth ? &context : nullptr, kSuccess; }
int cuCtxGetDevice(int* device) { return *device = 0, enter("cuCtxGetDevice"); }

int cuMemAlloc_v2(uint64_t* address, size_t size) {
    GUARD;
    return allocate("cuMemAlloc", device_memory, address, size);
}
int cuMemFree_v2(uint64_t address) {
    GUARD;
    return release("cuMemFree", device_memory, address);
}
int cuMemHostAlloc(uint64_t* address, size_t size, unsigned flags) {
    GUARD;
    const int error = allocate("cuMemHostAlloc", host_memory, address, size);
    if (error == kSuccess && flags == 2) mapped_memory[*address] = size;
    return error;
}
int cuMemHostGetDevicePointer_v2(uint64_t* device, uint64_t host, unsigned) {
    GUARD;
    if (const int error = enter("cuMemHostGetDevicePointer")) return error;
    return within(mapped_memory, host, 1) ? (*device = host, kSuccess) : kInvalidValue;
}
int cuMemFreeHost(uint64_t address) {
    GUARD;
    mapped_memory.erase(address);
    return release("cuMemFreeHost", host_memory, address);
}
int cuMemcpyHtoDAsync_v2(uint64_t device, uint64_t host, size_t size, Stream* stream) {
    GUARD;
    return copy("cuMemcpyHtoDAsync", device, host, device, host, size, stream);
}
int cuMemcpyDtoHAsync_v2(uint64_t host, uint64_t device, size_t size, Stream* stream) {
    GUARD;
    return copy("cuMemcpyDtoHAsync", host, device, device, host, size, stream);
}

int cuStreamCreate(Stream** stream, unsigned) {
    GUARD;
    if (const int error = enter("cuStreamCreate")) return error;
    return *stream = new Stream, ++objects, kSuccess;
}
int cuStreamDestroy_v2(Stream* stream) {
    GUARD;
    return delete stream, --objects, enter("cuStreamDestroy");
}
int cuStreamSynchronize(Stream* stream) {
    GUARD;
    if (const int error = enter("cuStreamSynchronize")) return error;
    for (const auto& work : stream->queued) work();
    stream->queued.clear();
    return kSuccess;
}

int cuStreamBeginCapture_v2(Stream* stream, int) {
    GUARD;
    stream->is_capturing = true;
    return enter("cuStreamBeginCapture");
}
int cuStreamEndCapture(Stream* stream, Work** graph) {
    GUARD;
    const bool is_broken = stream->is_broken;
    *graph = is_broken ? nullptr : new Work(std::move(stream->captured));
    objects += !is_broken;
    stream->captured.clear();
    stream->is_capturing = stream->is_broken = false;
    return is_broken ? kInvalidated : kSuccess;
}
int cuGraphInstantiateWithFlags(Work** executable, Work* graph, unsigned long long) {
    GUARD;
    if (const int error = enter("cuGraphInstantiate")) return error;
    return *executable = new Work(*graph), ++objects, kSuccess;
}
int cuGraphLaunch(Work* executable, Stream* stream) {
    GUARD;
    if (const int error = enter("cuGraphLaunch")) return error;
    return tell(stream, [executable] {
        for (const auto& work : *executable) work();
    });
}
int cuGraphDestroy(Work* graph) { return delete graph, --objects, kSuccess; }
int cuGraphExecDestroy(Work* executable) { return delete executable, --objects, kSuccess; }

int cuModuleLoadData(Module** module, const void* image) {
    GUARD;
    if (const int error = enter("cuModuleLoadData")) return error;
    FatbinHeader header;
    memcpy(&header, image, sizeof header);
    if (header.magic != 0xBA55ED50) return kInvalidImage;
    const std::string content(static_cast<const char*>(image) + header.header_size, header.size);
    if (content.find("sm_87 ") == std::string::npos) return kNoBinaryForGpu;
    return *module = new Module{content, {}}, ++objects, kSuccess;
}
int cuModuleUnload(Module* module) {
    GUARD;
    return delete module, --objects, enter("cuModuleUnload");
}
int cuModuleGetFunction(const std::string** function, Module* module, const char* name) {
    GUARD;
    if (const int error = enter("cuModuleGetFunction")) return error;
    if (module->content.find(name + std::string(" ")) == std::string::npos || !is_kernel(name)) return kNotFound;
    return *function = &(module->functions[name] = name), kSuccess;
}
int cuLaunchKernel(const std::string* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream* stream, void** arguments,
                   void** extra) {
    GUARD;
    if (const int error = enter("cuLaunchKernel")) return error;
    if (block_x * block_y * block_z > 1024 || shared_bytes || extra) return kInvalidValue;
    const BoundKernel kernel = bind_kernel(function->c_str(), arguments);
    for (const void* pointer : kernel.pointers) {
        const auto address = reinterpret_cast<uint64_t>(pointer);
        if (!within(device_memory, address, 1) && !within(mapped_memory, address, 1)) return kInvalidValue;
    }
    return tell(stream, [=] { kernel.run({0, 0, 0}, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}); });
}

// Libraries ask by name and version, and get what is above.
int cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, void*) {
    for (const std::string& each : {std::string(name) + "_v2", std::string(name)}) {
        if ((*function = dlsym(RTLD_DEFAULT, each.c_str()))) return kSuccess;
    }
    return kNotFound;
}

// For the stand-in of TensorRT: a kernel's launch, done when the stream comes to it. Capturing may be refused.
int stand_in_enqueue(Stream* stream, void (*kernel)(), int may_be_captured) {
    GUARD;
    if (stream->is_capturing && !may_be_captured) return stream->is_broken = true, kInvalidated;
    return tell(stream, kernel);
}

// For tests.
void stand_in_fail(const char* function, int error) { failures[function] = error; }
void stand_in_recover() { failures.clear(); }
int stand_in_live() { return static_cast<int>(device_memory.size() + host_memory.size()) + objects; }
int stand_in_depth() { return depth; }

}  // extern "C"
