/* Replays a recording on a disk of its own, which crashes into new ones. */
#include "crash/walk.h"

#include "base/mem.h"

#include <stdlib.h>

struct walk {
    struct fs_model *recording;
    struct disk *disk;
    size_t step;
    size_t steps;
};

struct walk *walk_new(struct fs_model *recording)
{
    struct chooser chooser;
    struct walk *walk = mem_alloc(sizeof *walk);
    chooser_init_all(&chooser); /* whose first answers keep everything */
    *walk = (struct walk){.recording = recording,
                          .disk = disk_crash(fs_model_initial(recording), &chooser),
                          .steps = fs_model_steps(recording)};
    return walk;
}

void walk_free(struct walk *walk)
{
    disk_free(walk->disk);
    free(walk);
}

size_t walk_step(const struct walk *walk)
{
    return walk->step;
}

bool walk_next(struct walk *walk)
{
    if (walk->step == walk->steps)
        return false;
    disk_apply(walk->disk, fs_model_effect(walk->recording, walk->step++));
    return true;
}

struct fs_model *walk_crash(const struct walk *walk, struct chooser *chooser)
{
    return fs_model_from(disk_crash(walk->disk, chooser));
}
