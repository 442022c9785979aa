#!/usr/bin/env python3
"""check_meta.py DIRECTORY: META.json has what PGXN requires, and agrees with the files around it"""

import json
import os
import re
import sys

os.chdir(sys.argv[1])
with open('META.json', encoding='utf-8') as file:
    meta = json.load(file)
with open('cnap_org.control', encoding='utf-8') as file:
    control = dict(re.findall(r"^(\w+) *= *'(.*)'$", file.read(), re.M))

for key in ('name', 'version', 'abstract', 'maintainer', 'license', 'provides', 'meta-spec'):
    assert meta.get(key), f'{key} is missing'
assert re.fullmatch(r'\d+\.\d+\.\d+', meta['meta-spec']['version']), 'meta-spec'
assert meta['license'] == 'postgresql', 'license'
assert meta.get('release_status', 'stable') in ('stable', 'testing', 'unstable'), 'release_status'
for tag in meta['tags']:
    assert 0 < len(tag) < 256 and not re.search(r'[/\\\x00-\x1f]', tag), tag
for phase, relations in meta['prereqs'].items():
    assert phase in ('configure', 'build', 'test', 'runtime', 'develop'), phase
    for relation, packages in relations.items():
        assert relation in ('requires', 'recommends', 'suggests', 'conflicts'), relation
        for package, version in packages.items():
            assert re.fullmatch(r'\d+\.\d+\.\d+', version), package
assert os.path.basename(os.getcwd()) == f"{meta['name']}-{meta['version']}", 'the directory'
for name, provided in meta['provides'].items():
    assert provided['version'] == meta['version'] == control['default_version'], f'version of {name}'
    for key in ('file', 'docfile'):
        assert os.path.isfile(provided[key]), provided[key]
print('META.json agrees with the archive')
