import type { Shell } from './docker.ts';

/** A package that a test builds. */
export interface Deb {
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
  readonly conflicts?: string;
  /** Scripts of shell by their names: `postinst`. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** Further files, by their paths. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Builds packages in a container and makes them the only archive of its apt. Each has a configuration
 * file, `/etc/NAME.conf`, and `/usr/share/NAME/version`.
 */
export async function publish(machine: Shell, debs: readonly Deb[]): Promise<void> {
  const built = debs.map(({ name, version, depends, conflicts, scripts = {}, files = {} }) => {
    const control = [
      ...[
        `Package: ${name}`,
        `Version: ${version}`,
        'Architecture: all',
        'Maintainer: test <test@example.org>',
      ],
      ...(depends === undefined ? [] : [`Depends: ${depends}`]),
      ...(conflicts === undefined ? [] : [`Conflicts: ${conflicts}`]),
      'Description: test',
    ];
    const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
    return [
      `rm -rf /srv/build; mkdir -p /srv/build/DEBIAN /srv/build/etc /srv/build/usr/share/${name}`,
      `echo '${name} ${version}' | tee /srv/build/etc/${name}.conf >/srv/build/usr/share/${name}/version`,
      `echo /etc/${name}.conf >/srv/build/DEBIAN/conffiles`,
      `printf '%s\\n' ${control.map(quoted).join(' ')} >/srv/build/DEBIAN/control`,
      ...Object.entries(files).map(
        ([path, content]) =>
          `mkdir -p "$(dirname /srv/build${path})"; printf '%s' ${quoted(content)} >/srv/build${path}`,
      ),
      ...Object.entries(scripts).map(
        ([script, text]) =>
          `printf '#!/bin/sh\\n%s\\n' ${quoted(text)} >/srv/build/DEBIAN/${script}; chmod 755 /srv/build/DEBIAN/${script}`,
      ),
      'dpkg-deb --root-owner-group --build /srv/build /srv/archive >/dev/null',
    ].join('\n');
  });
  await machine.must(
    [
      'mkdir -p /srv/archive',
      ...built,
      'cd /srv/archive; dpkg-scanpackages --multiversion . >Packages 2>/dev/null',
      'rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*',
      "echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list",
      'apt-get -qq update',
    ].join('\n'),
  );
}
