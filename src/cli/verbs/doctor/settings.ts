import { siteFileHere, sitePaths } from '../../../site.ts';
import { siteSettings } from '../../../site-settings.ts';
import { give } from '../../output/answer.ts';
import type { DoctorSettings } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

type Row = DoctorSettings[number];

/** Shows the settings of the site, the path of the site file and the directory of the journals. */
export async function showSettings(runtime: Runtime<DoctorSettings>): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
  const data: DoctorSettings = [
    ...siteSettings(bofh.site).map(
      ({ name, value, description, origin }): Row => ({
        name,
        value: value ?? null,
        from: origin.by,
        where: origin.where ?? null,
        description,
      }),
    ),
    ...ofCommand(runtime),
  ];
  give(runtime, {
    data,
    head: ['SETTING', 'VALUE', 'FROM', 'WHAT IT IS'],
    rows: data.map(({ name, value, from, where, description }) => [
      name,
      inWords(value),
      where ?? from,
      description,
    ]),
    none: 'there is no setting',
  });
  return 0;
}

/** The settings of the command itself, from options or environment variables. */
function ofCommand({ settings }: Runtime): readonly Row[] {
  const { site, stateDir, stateDirBy } = settings;
  return [
    {
      name: 'site',
      value: site ?? siteFileHere(undefined) ?? null,
      ...(site === undefined ? origin('default', null) : originOf('BOFH_SITE', '--site', site)),
      description: `the site file (default: the first that exists of ${sitePaths.join(', ')})`,
    },
    {
      name: 'stateDir',
      value: stateDir,
      ...(stateDirBy === 'default'
        ? origin('default', null)
        : originOf('BOFH_STATE_DIR', '--state-dir', stateDir)),
      description: 'directory of the journals',
    },
  ];
}

/**
 * The origin of a value. An option overrides the variable; if both have the same value, the origin is the
 * variable.
 */
function originOf(variable: string, option: string, value: string): Pick<Row, 'from' | 'where'> {
  return process.env[variable] === value ? origin('environment', variable) : origin('option', option);
}

function origin(from: Row['from'], where: string | null): Pick<Row, 'from' | 'where'> {
  return { from, where };
}

function inWords(value: unknown): string {
  if (value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
