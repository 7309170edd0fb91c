cd /tmp/lead/perf && rm -rf build src/espnow/air/*.so && /tmp/lead/v6/bin/python -c "import Cython" 2>/dev/null || /tmp/lead/v6/bin/pip install -q cython setuptools 2>/dev/null
/tmp/lead/v6/bin/python setup.py -q build_ext --inplace 2>&1 | grep -i "error" ; ls -la src/espnow/air/*.so
