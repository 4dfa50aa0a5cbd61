import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Recording } from './situation.ts';

/** Where recordings lie. */
export const fixtures: string = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** Versions of its tool that a situation was recorded with. */
export function versionsOf(name: string): readonly string[] {
  const [folder = '', situation = ''] = name.split('/');
  if (!existsSync(`${fixtures}${folder}`)) return [];
  return readdirSync(`${fixtures}${folder}`).flatMap((file) => {
    const version = /^(?<situation>.*)@(?<version>[^@]*)\.json$/.exec(file)?.groups;
    return version?.situation === situation && version.version !== undefined ? [version.version] : [];
  });
}

/** A recording by the name of its situation and the version of its tool. */
export function recordingOf(name: string, version: string): Recording {
  return JSON.parse(readFileSync(pathOf(name, version), 'utf8')) as Recording;
}

/** Its file. */
export function pathOf(name: string, version: string): string {
  return `${fixtures}${name}@${version}.json`;
}
