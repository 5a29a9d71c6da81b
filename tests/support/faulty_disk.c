/* A disk that is slow, full, read-only or broken, for the processes that load this with LD_PRELOAD.

   It acts on paths below FAULTY_DISK_FOLDER only. The switches are a file shared with the test (FAULTY_DISK_SWITCHES),
   so they turn while the process runs. With FAULTY_DISK_LOG every change is written there in the order in which it
   was made, so that a test can build what a disk could hold after a power cut (tests/reliability/power.py).

   The disk that fills counts what files grow by and gives back what truncating and deleting free; statvfs tells it.
   Changes made through mmap are not seen: SQLite makes them in -shm files only, which are lost with the power anyway. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "open and open64 are one and the same here");

struct switches {  /* faulty_disk.py writes the same layout */
    int64_t fsync_delay_us;
    int64_t fsync_fails;
    int64_t read_only;
    int64_t free_bytes;  /* -1: as many as there are */
    int64_t fsyncs;      /* how many were asked for, failed ones too */
};

/* Around each line of the log: a process that is killed may leave half of one, even of a single writev. */
static const char begins[8] = "\xfe" "change", ends[8] = "\xfe" "told..";

struct record {
    char begins[8];
    uint32_t path_length;
    uint32_t data_length;
    int64_t offset;
    uint8_t kind;  /* Create Write Sync Failed-sync Truncate Delete Rename */
    uint8_t unused[7];
};

#define MOST_FILES 65536
static char *names[MOST_FILES];  /* by descriptor: the path below the folder, or NULL for any other file */
static char folder[PATH_MAX];
static size_t folder_length;
static volatile struct switches *switches;
static int log_file = -1;
static pthread_mutex_t in_order = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_renameat)(int, const char *, int, const char *);
static int (*real_mkdirat)(int, const char *, mode_t);
static int (*real_statvfs)(const char *, struct statvfs *);
static int (*real_fstatvfs)(int, struct statvfs *);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
    real_posix_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    real_renameat = dlsym(RTLD_NEXT, "renameat");
    real_mkdirat = dlsym(RTLD_NEXT, "mkdirat");
    real_statvfs = dlsym(RTLD_NEXT, "statvfs64");
    real_fstatvfs = dlsym(RTLD_NEXT, "fstatvfs64");
    const char *below = getenv("FAULTY_DISK_FOLDER"), *shared = getenv("FAULTY_DISK_SWITCHES");
    const char *log_path = getenv("FAULTY_DISK_LOG");
    if (below == NULL || shared == NULL) return;
    int file = real_open(shared, O_RDWR | O_CLOEXEC);
    if (file < 0) { perror("FAULTY_DISK_SWITCHES"); abort(); }
    void *memory = mmap(NULL, sizeof(struct switches), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    real_close(file);
    if (memory == MAP_FAILED) { perror("FAULTY_DISK_SWITCHES"); abort(); }
    if (log_path != NULL) {
        log_file = real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_file < 0) { perror("FAULTY_DISK_LOG"); abort(); }
    }
    switches = memory;
    strncpy(folder, below, sizeof folder - 1);
    folder_length = strlen(folder);
}

/* The path below the folder, in `found`; 0 when it is not below. */
static int below_folder(int directory, const char *path, char *found) {
    char whole[2 * PATH_MAX + 2];
    if (switches == NULL || path == NULL) return 0;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX) return 0;
        strcpy(whole, path);
    } else {
        char base[PATH_MAX], link[64];
        if (directory == AT_FDCWD) {
            if (getcwd(base, sizeof base) == NULL) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return 0;
            base[length] = '\0';
        }
        if (strlen(path) >= PATH_MAX) return 0;
        strcpy(whole, base);
        strcat(whole, "/");
        strcat(whole, path);
    }
    if (strncmp(whole, folder, folder_length) != 0) return 0;
    if (whole[folder_length] != '/' && whole[folder_length] != '\0') return 0;
    const char *rest = whole + folder_length;
    while (*rest == '/') rest++;
    if (strlen(rest) >= PATH_MAX) return 0;
    strcpy(found, rest);
    return 1;
}

static const char *name_of(int file) { return file >= 0 && file < MOST_FILES ? names[file] : NULL; }

/* While the log is kept, a change and its line in the log are one step. */
static void hold(void) { if (log_file >= 0) pthread_mutex_lock(&in_order); }
static void let_go(void) { if (log_file >= 0) pthread_mutex_unlock(&in_order); }

static void tell(uint8_t kind, const char *path, int64_t offset, const void *data, size_t length) {
    if (log_file < 0) return;
    struct record head = {{0}, strlen(path), length, offset, kind, {0}};
    memcpy(head.begins, begins, sizeof begins);
    struct iovec parts[4] = {{&head, sizeof head}, {(void *)path, strlen(path)}, {(void *)data, length},
                             {(void *)ends, sizeof ends}};
    int before = errno;
    if (writev(log_file, parts, 4) != (ssize_t)(sizeof head + strlen(path) + length + sizeof ends)) abort();
    errno = before;
}

static int refused_as_read_only(void) {
    if (!switches->read_only) return 0;
    errno = EROFS;
    return 1;
}

/* Take what a file grows by from what is free; 0 with ENOSPC when that is too little. */
static int has_room(int file, off_t end) {
    struct stat now;
    if (switches->free_bytes < 0 || fstat(file, &now) != 0 || end <= now.st_size) return 1;
    int64_t more = end - now.st_size;
    if (__atomic_sub_fetch(&switches->free_bytes, more, __ATOMIC_SEQ_CST) >= 0) return 1;
    __atomic_add_fetch(&switches->free_bytes, more, __ATOMIC_SEQ_CST);
    errno = ENOSPC;
    return 0;
}

static void give_back(int64_t bytes) {
    if (switches->free_bytes >= 0 && bytes > 0) __atomic_add_fetch(&switches->free_bytes, bytes, __ATOMIC_SEQ_CST);
}

static int opened(int directory, const char *path, int flags, mode_t mode) {
    char found[PATH_MAX];
    if (!below_folder(directory, path, found)) return real_openat(directory, path, flags, mode);
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) && refused_as_read_only()) return -1;
    hold();
    int fresh = (flags & O_CREAT) && faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    if (fresh && switches->free_bytes == 0) {
        let_go();
        errno = ENOSPC;
        return -1;
    }
    struct stat before = {0};
    if (flags & O_TRUNC) fstatat(directory, path, &before, 0);
    /* Told first: a process that is killed in between would leave a file that the log has never heard of. */
    if (fresh) tell('C', found, 0, NULL, 0);
    int file = real_openat(directory, path, flags, mode);
    if (fresh && file < 0) tell('D', found, 0, NULL, 0);
    if (file >= 0 && file < MOST_FILES) {
        free(names[file]);
        names[file] = strdup(found);
        if ((flags & O_TRUNC) && before.st_size > 0) {
            give_back(before.st_size);
            tell('T', found, 0, NULL, 0);
        }
    }
    let_go();
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE(flags) return opened(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE(flags) return opened(directory, path, flags, mode); }

int close(int file) {
    if (file >= 0 && file < MOST_FILES && names[file] != NULL) {
        char *name = names[file];
        names[file] = NULL;
        free(name);
    }
    return real_close(file);
}

static ssize_t written(int file, const void *data, size_t length, off_t offset, int at_offset) {
    const char *name = name_of(file);
    if (name == NULL) return at_offset ? real_pwrite(file, data, length, offset) : real_write(file, data, length);
    if (refused_as_read_only()) return -1;
    hold();
    if (!at_offset) {
        struct stat now;
        int appends = fcntl(file, F_GETFL) & O_APPEND;
        offset = appends && fstat(file, &now) == 0 ? now.st_size : lseek(file, 0, SEEK_CUR);
    }
    ssize_t done = -1;
    if (has_room(file, offset + (off_t)length)) {
        /* Told first: of a process that is killed in between, the log must not know less than the file. */
        tell('W', name, offset, data, length);
        done = at_offset ? real_pwrite(file, data, length, offset) : real_write(file, data, length);
        if (log_file >= 0 && done != (ssize_t)length) abort();
    }
    let_go();
    return done;
}

ssize_t write(int file, const void *data, size_t length) { return written(file, data, length, 0, 0); }
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) { return written(file, data, length, offset, 1); }
ssize_t pwrite64(int file, const void *data, size_t length, off_t offset) { return written(file, data, length, offset, 1); }

int ftruncate(int file, off_t size) {
    const char *name = name_of(file);
    struct stat before;
    if (name == NULL) return real_ftruncate(file, size);
    if (refused_as_read_only() || fstat(file, &before) != 0) return -1;
    hold();
    int failed = -1;
    if (has_room(file, size)) {
        tell('T', name, size, NULL, 0);
        failed = real_ftruncate(file, size);
        give_back(failed ? 0 : before.st_size - size);
    }
    let_go();
    return failed;
}
int ftruncate64(int file, off_t size) { return ftruncate(file, size); }

int posix_fallocate(int file, off_t offset, off_t length) {
    const char *name = name_of(file);
    if (name == NULL) return real_posix_fallocate(file, offset, length);
    if (switches->read_only) return EROFS;
    if (!has_room(file, offset + length)) return ENOSPC;
    hold();
    int failed = real_posix_fallocate(file, offset, length);
    struct stat now;
    if (!failed && fstat(file, &now) == 0) tell('T', name, now.st_size, NULL, 0);
    let_go();
    return failed;
}
int posix_fallocate64(int file, off_t offset, off_t length) { return posix_fallocate(file, offset, length); }

int fallocate(int file, int mode, off_t offset, off_t length) {
    if (name_of(file) == NULL) return real_fallocate(file, mode, offset, length);
    if (mode != 0) { errno = EOPNOTSUPP; return -1; }
    int failed = posix_fallocate(file, offset, length);
    if (failed) errno = failed;
    return failed ? -1 : 0;
}
int fallocate64(int file, int mode, off_t offset, off_t length) { return fallocate(file, mode, offset, length); }

static int synced(int file, int (*real)(int)) {
    const char *name = name_of(file);
    if (name == NULL) return real(file);
    __atomic_add_fetch(&switches->fsyncs, 1, __ATOMIC_SEQ_CST);
    int64_t delay = switches->fsync_delay_us;
    if (delay > 0) {
        struct timespec pause = {delay / 1000000, (delay % 1000000) * 1000};
        while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {}
    }
    hold();
    int failed = switches->fsync_fails ? -1 : log_file >= 0 ? 0 : real(file);
    tell(failed ? 'F' : 'S', name, 0, NULL, 0);
    let_go();
    if (switches->fsync_fails) errno = EIO;
    return failed;
}
int fsync(int file) { return synced(file, real_fsync); }
int fdatasync(int file) { return synced(file, real_fdatasync); }

int unlinkat(int directory, const char *path, int flags) {
    char found[PATH_MAX];
    struct stat before = {0};
    if (!below_folder(directory, path, found)) return real_unlinkat(directory, path, flags);
    if (refused_as_read_only()) return -1;
    hold();
    fstatat(directory, path, &before, AT_SYMLINK_NOFOLLOW);
    int failed = real_unlinkat(directory, path, flags);
    if (!failed && !(flags & AT_REMOVEDIR)) {
        give_back(before.st_size);
        tell('D', found, 0, NULL, 0);
    }
    let_go();
    return failed;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
    char found[PATH_MAX], target[PATH_MAX];
    struct stat replaced = {0};
    if (!below_folder(from_directory, from, found) || !below_folder(to_directory, to, target))
        return real_renameat(from_directory, from, to_directory, to);
    if (refused_as_read_only()) return -1;
    hold();
    fstatat(to_directory, to, &replaced, AT_SYMLINK_NOFOLLOW);
    int failed = real_renameat(from_directory, from, to_directory, to);
    if (!failed) {
        give_back(replaced.st_size);
        tell('R', found, 0, target, strlen(target));
    }
    let_go();
    return failed;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int mkdirat(int directory, const char *path, mode_t mode) {
    char found[PATH_MAX];
    if (below_folder(directory, path, found) && refused_as_read_only()) return -1;
    return real_mkdirat(directory, path, mode);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static void as_free(struct statvfs *found) {
    if (switches->free_bytes < 0) return;
    found->f_bavail = found->f_bfree = switches->free_bytes / found->f_frsize;
}

int statvfs(const char *path, struct statvfs *found) {
    char name[PATH_MAX];
    int failed = real_statvfs(path, found);
    if (!failed && below_folder(AT_FDCWD, path, name)) as_free(found);
    return failed;
}
int statvfs64(const char *path, struct statvfs64 *found) { return statvfs(path, (struct statvfs *)found); }

int fstatvfs(int file, struct statvfs *found) {
    int failed = real_fstatvfs(file, found);
    if (!failed && name_of(file) != NULL) as_free(found);
    return failed;
}
int fstatvfs64(int file, struct statvfs64 *found) { return fstatvfs(file, (struct statvfs *)found); }
