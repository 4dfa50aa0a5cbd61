/**
 * The shell around a change holds the journal's lock (descriptor 3) while the tool runs. The tool does not
 * get this descriptor: lvm would close it, and a daemon that a tool leaves behind would keep the lock for
 * ever. If the process group gets a signal, the trap keeps the shell alive until the tool has cleaned up. Descriptors 4
 * to 9, which bofh may have inherited, are closed too; dash supports only one digit.
 */
const closedButFourth = '3>&- 5>&- 6>&- 7>&- 8>&- 9>&-';
const closed = `${closedButFourth} 4>&-`;
const trap = 'trap : HUP INT TERM';

/**
 * Before the tool starts, the shell writes its name ($0), the boot and its own line of proc_pid_stat(5) into
 * the file named by its first word. This records the session, with which recovery finds the tool if only the
 * shell is killed. The shell empties the file when the tool has ended, because recovery does not wait for a
 * daemon that the tool leaves behind. On a full disk there is no record, because that must not prevent an
 * undo.
 */
const record =
  '{ read -r boot </proc/sys/kernel/random/boot_id; read -r stat </proc/self/stat; printf "%s\\n" "$0 $boot $stat" >"$1"; } 2>/dev/null; session=$1; shift';
const ended = '{ printf "" >"$session"; } 2>/dev/null; exit $code';

/**
 * The maximum number of stages of a pipeline: each needs a descriptor for its stderr, 5 to 9, and the first
 * uses that of the shell.
 */
export const stageLimit = 6;

/** Runs its words, after the session file, as one command. */
export const singleScript = `${trap}; ${record}; "$@" ${closed}; code=$?; ${ended}`;

/** Like `singleScript`, with a second key on descriptor 4 (`secondKeyPath`). */
export const secondKeyScript = `${trap}; ${record}; "$@" ${closedButFourth}; code=$?; ${ended}`;

/** The descriptor that the exit codes of a pipeline's stages are written to. */
const statusDescriptor = 4;

/** The descriptor of the stderr of stage `i`, counted from 0. */
function errorDescriptor(stage: number): number {
  return stage === 0 ? 2 : statusDescriptor + stage;
}

/**
 * Runs its words, after the session file, as commands joined by pipes; the stages have `lengths` words. Only
 * numbers are inserted into the script. Each stage sets the trap itself, because a subshell does not inherit
 * it, and writes `STAGE CODE` when it ends.
 */
export function pipelineScript(lengths: readonly number[]): string {
  let used = 0;
  const stages = lengths.map((length, stage) => {
    const words = Array.from({ length }, (_, i) => `"\${${used + i + 1}}"`).join(' ');
    used += length;
    const errors = stage === 0 ? '' : ` 2>&${errorDescriptor(stage)}`;
    return `{ ${trap}; ${words} ${closed}; echo "${stage} $?" >&${statusDescriptor}; }${errors}`;
  });
  return `${trap}; ${record}; ${stages.join(' | ')}; code=$?; ${ended}`;
}

const statusLine = /^(?<stage>\d+) (?<code>\d+)$/;

/** The exit code of each stage; undefined if none was written because the stage was killed. */
export function pipelineStatuses(text: string, stages: number): readonly (number | undefined)[] {
  const codes = new Map<number, number>();
  for (const line of text.split('\n').slice(0, -1)) {
    const groups = statusLine.exec(line)?.groups;
    // A truncated line (full disk), or one without its newline: that stage has no code, and the
    // caller reports it.
    if (groups === undefined) continue;
    codes.set(Number(groups.stage), Number(groups.code));
  }
  return Array.from({ length: stages }, (_, stage) => codes.get(stage));
}
