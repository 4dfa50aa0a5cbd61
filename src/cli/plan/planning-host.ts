import type { AnyOperation } from '../../atomic/index.ts';
import {
  type ChangeHost,
  commandLine,
  type Host,
  type ReadHost,
  type StepContext,
} from '../../command/index.ts';
import { present } from '../../core/present.ts';
import { typed } from '../output/text.ts';

/** When a change is made. `release`: undo of a temporary step. */
export type When = 'in turn' | 'release' | 'before the commit' | 'after the commit';

/** A change that would be made now. */
export interface ReportedChange {
  /** The command line, as typed in a shell. */
  readonly line: string;
  /** The programs it would start; none: bofh accesses the file itself. */
  readonly commands: readonly (readonly string[])[];
  readonly when: When;
}

/** Reports each change, with its step, before the change is made. */
export interface Telling {
  readonly host: Host;
  /** Returns the operation, extended so that it reports the phase of its changes. */
  readonly marked: (code: AnyOperation) => AnyOperation;
}

/** Returns a host and operations that report each change before they make it. */
export function telling(host: Host, tell: (step: StepContext, change: ReportedChange) => void): Telling {
  const marks = new WeakMap<object, { when: When }>();
  const mark = (of: ReadHost, when: When): void => {
    const known = marks.get(of);
    if (known !== undefined && (known.when === 'in turn' || when !== 'before the commit')) known.when = when;
  };
  const markedLater = ({ keep, bringBack, ...rest }: NonNullable<AnyOperation['later']>) => ({
    ...rest,
    keep: (input: Parameters<typeof keep>[0]) => {
      mark(input.host, 'after the commit');
      return keep(input);
    },
    ...present({
      bringBack:
        bringBack === undefined
          ? undefined
          : (input: Parameters<typeof bringBack>[0]) => {
              mark(input.host, 'release');
              return bringBack(input);
            },
    }),
  });
  const marked = (code: AnyOperation): AnyOperation => ({
    ...code,
    ...(code.later === undefined ? {} : { later: markedLater(code.later) }),
    revert: (input) => {
      mark(input.host, 'release');
      return code.revert(input);
    },
    sync: (input) => {
      mark(input.host, 'before the commit');
      return code.sync(input);
    },
    afterCommit: (input) => {
      mark(input.host, 'after the commit');
      return code.afterCommit(input);
    },
  });
  const during: Host['during'] = (step) => {
    const own = { when: 'in turn' as When };
    const changes = tellingChanges(host.during(step), (line, commands = []) =>
      tell(step, { line, commands, when: own.when }),
    );
    marks.set(changes, own);
    return changes;
  };
  return { host: { ...host, during }, marked };
}

type AnyCommand = Parameters<typeof commandLine>[0];
type Tell = (line: string, commands?: ReportedChange['commands']) => void;

function tellingChanges(host: ChangeHost, tell: Tell): ChangeHost {
  const words = ({ tool, argv }: AnyCommand): readonly string[] => [tool, ...argv];
  return {
    ...host,
    run: (command) => {
      if (command.access !== 'read') tell(commandLine(command), [words(command)]);
      return host.run(command);
    },
    pipe: (pipeline) => {
      tell(pipeline.commands.map(commandLine).join(' | '), pipeline.commands.map(words));
      return host.pipe(pipeline);
    },
    writeNew: (path, content, options) => {
      tell(
        `cat > ${typed([path])}  # ${String(Buffer.byteLength(content))} bytes, mode ${options.mode.toString(8)}`,
      );
      return host.writeNew(path, content, options);
    },
    link: (existing, path) => {
      tell(typed(['ln', '-T', existing, path]));
      return host.link(existing, path);
    },
    rename: (from, to) => {
      tell(typed(['mv', '-T', from, to]));
      return host.rename(from, to);
    },
    removeFile: (path) => {
      tell(typed(['rm', path]));
      return host.removeFile(path);
    },
    makeDir: (path, options) => {
      const mode = `--mode=${options.mode.toString(8)}`;
      tell(options.parents === true ? typed(['mkdir', '-p', mode, path]) : typed(['mkdir', mode, path]));
      return host.makeDir(path, options);
    },
    removeDir: (path) => {
      tell(typed(['rmdir', path]));
      return host.removeDir(path);
    },
    sync: (path) => {
      tell(typed(['sync', path]));
      return host.sync(path);
    },
  };
}
