# Types of kernel.py where it is compiled.
cimport cython
from libc.math cimport exp, log10
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

# What a compiler cannot ask for early is waited for.
cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define espnow_prefetch(place) __builtin_prefetch(place)
    #else
    #define espnow_prefetch(place) ((void) (place))
    #endif
    """
    void espnow_prefetch(void* place) noexcept nogil

ctypedef long long integer
ctypedef int small
ctypedef short brief
ctypedef signed char tiny
ctypedef unsigned long long word

cdef object memory_of  # espnow.air.memory

# Memory is a bytearray's or a mapping's, neither of which moves, and goes with what keeps it.
cdef inline char* place_of(memory) except NULL:
    cdef Py_buffer buffer
    PyObject_GetBuffer(memory, &buffer, PyBUF_WRITABLE)
    cdef char* found = <char*> buffer.buf
    PyBuffer_Release(&buffer)
    return found

cdef inline char* zeros(list owned, Py_ssize_t size) except NULL:
    memory = memory_of(size if size > 0 else 8)
    owned.append(memory)
    return place_of(memory)

# Where a line of the cache begins.
cdef inline char* line_of(memory) except NULL:
    cdef char* begin = place_of(memory)
    return begin + (64 - (<size_t> begin) % 64) % 64

cdef inline integer* integers(list owned, Py_ssize_t count) except NULL:
    return <integer*> zeros(owned, count * sizeof(integer))

cdef inline small* smalls(list owned, Py_ssize_t count) except NULL:
    return <small*> zeros(owned, count * sizeof(small))

cdef inline double* doubles(list owned, Py_ssize_t count) except NULL:
    return <double*> zeros(owned, count * sizeof(double))

cdef inline word* words(list owned, Py_ssize_t count) except NULL:
    return <word*> zeros(owned, count * sizeof(word))

cdef integer NEVER
cdef double LOUDEST, LN_10
cdef word MASK, GOLDEN, MIX_1, MIX_2, PRIME
cdef integer ARRIVAL, ACCESS, GROUP, END, ANSWER, TIMEOUT, REACTION, DEADLINE, NOTHING, FRAME, ACK, NO_TURN, TURN, BACKOFF, PERIODIC, POISSON, SATURATED, CURVE_STEPS, CURVE_FROM_DB, CURVE_LENGTH, LATENCY_STEPS, LATENCY_LENGTH, GROUP_ADDRESS, NOWHERE, SCRIPT, EVENT, ANSWERS, RADIATION, ON, OFF, DOZING

# What is known of a station, a line of the cache after the other. The first two are all that a signal needs that begins
# or ends at it.
ctypedef struct Record:
    # what it hears and whether it counts
    double level
    integer due
    double lock_mw
    double lock_log
    integer lock_at
    integer lock_begin
    small lock
    brief signals
    brief busy
    brief channel
    tiny wants
    tiny deaf
    tiny apart
    tiny receiver
    tiny sending
    tiny long_range
    # what came of it, and since when
    integer got
    integer busy_us
    integer tuned
    integer busy_since
    integer idle_since
    integer spoilt
    integer nav
    small group
    tiny script
    tiny lost_alone
    tiny muted
    # its turn
    word chance
    integer slots
    integer counts_from
    integer group_at
    integer air_number
    integer messages
    integer attempt
    small at_once
    small cw
    # what it has on the air
    integer air_us
    integer air_begin
    integer air_first
    integer air_last
    integer clean
    integer closely
    integer doubted
    small air_rate
    small air_channel
    # what it sends next
    integer first
    integer last
    integer frame_us
    integer created
    integer most
    small to
    small stream_of
    small rate
    small arrived
    small q_first
    small q_count
    # what it did
    word luck
    small answer_to
    integer sent_us
    integer sent_count
    integer lost_of
    integer deadline
    double power_mw
    integer added_us
    # what is seldom wanted
    integer awake_until
    double doze_first
    double doze_period
    integer doze_on
    integer doze_linger
    integer simply
    integer simply_us
    integer added_count

ctypedef Record* record_p

# Messages of a station, and what came of them.
ctypedef struct StreamRecord:
    # what makes them
    double period
    double jitter
    integer base
    double rest
    integer burst
    small kind
    small to
    small rate
    small us
    small random
    small group
    # what came of them
    integer made
    integer dropped
    integer sent
    integer attempts
    integer hearings
    integer delivered
    integer acknowledged
    double latency
    # what is seldom wanted
    integer failed
    integer spacing
    integer left
    word luck

ctypedef StreamRecord* stream_p

# How one station gets the signal of another: two of them are a line of the cache.
ctypedef struct PairRecord:
    double strength
    small other
    small delay
    small owner
    small alone
    small next_closely
    small next_doubted

ctypedef PairRecord* pair_p

@cython.final
cdef class Heap:
    cdef readonly integer size, made, first_us, at_us, kind, which, room
    cdef list owned
    cdef integer* cells

cdef inline void enlarge(Heap heap) noexcept:
    before = heap.owned.pop()
    heap.cells = integers(heap.owned, 4 * heap.room)
    heap.owned[0][: len(before)] = before
    heap.room = 2 * heap.room

@cython.locals(cells=cython.p_longlong, at=integer, above=integer)
cdef void push(Heap heap, integer at_us, integer kind, integer which) noexcept
@cython.locals(cells=cython.p_longlong, at=integer, below=integer, least=integer, last=integer, other=integer, size=integer, time=integer, code=integer)
cdef void pop(Heap heap) noexcept

@cython.locals(z=word)
cdef double mix(word z) noexcept

@cython.final
cdef class Kernel:
    cdef readonly integer preamble_us, count, now_us, frames, receptions, answers, events, failed_receptions, losses_half_duplex, slot_us, sifs_us, difs_us, eifs_us, timeout_us, turnaround_us, cw_min, cw_max, streams, room, groups
    cdef readonly double noise_mw, sense_mw, detect_ratio, capture_ratio, detect_noise_mw
    cdef readonly word trace
    cdef list owned
    cdef object station_memory, record_places, pair_memory, stream_memory
    cdef Record** station
    cdef Heap heap
    cdef integer end_of_rows, edges, home, starts, added, scripts, stopped
    cdef readonly bint lossy
    cdef readonly integer ended, ended_kind
    cdef double header_bits, body_bits
    cdef integer header_at, body_at
    cdef integer ended_stream, ended_made, ended_message, ended_attempt
    cdef readonly list heard, finished
    cdef small* is_long_range
    cdef double* loss
    cdef word* luck
    cdef pair_p pair
    cdef stream_p stream
    cdef integer* until
    cdef small* heard_at
    cdef integer prepared, there
    cdef readonly integer decoded
    cdef readonly integer answered
    cdef integer* ack_us
    cdef integer* ack_rate
    cdef integer* header_us
    cdef integer* header_curve
    cdef small* s_station
    cdef readonly integer reacts, spare_reaction, spare_flood, cause, room_for_reactions, room_for_floods
    cdef integer* s_answer
    cdef integer* s_asked
    cdef integer* s_think
    cdef double* s_think_jitter
    cdef integer* s_hops
    cdef integer* s_trips
    cdef double* trip_us
    cdef integer* over
    cdef double* spread_us
    cdef integer* q_cause
    cdef integer* cause_of
    cdef integer* r_station
    cdef integer* r_stream
    cdef integer* r_cause
    cdef integer* f_made
    cdef integer* f_last
    cdef integer* f_copies
    cdef small* f_heard
    cdef small* q_stream
    cdef integer* q_made
    cdef integer* latencies
    cdef double* gain
    cdef double* bits_us
    cdef double* sure
    cdef double* least_mw
    cdef double* curve

    @cython.locals(z=word)
    cdef double draw(self, Py_ssize_t i) noexcept
    cdef integer draw_slots(self, Py_ssize_t i) noexcept
    @cython.locals(trace=word)
    cdef void note(self, word at, word what) noexcept
    @cython.locals(at=integer, j=integer, us=integer, ratio=double)
    cpdef set_row(self, Py_ssize_t i, others, gains, delays, integer at=*)
    @cython.locals(e=integer)
    cpdef bint set_pair(self, Py_ssize_t i, integer j, double ratio, integer us)
    @cython.locals(e=integer, j=integer)
    cdef void release_row(self, Py_ssize_t i) noexcept
    @cython.locals(e=integer, more=integer, more_us=integer)
    cdef void add_row(self, Py_ssize_t i) noexcept
    cpdef take_over(self, Kernel old)
    cpdef set_chance(self, Py_ssize_t i, word chance)
    @cython.locals(e=integer)
    cdef void prepare_row(self, Py_ssize_t i) noexcept
    cdef void prepare_pair(self, Py_ssize_t i, integer e) noexcept
    cdef void settle(self, Py_ssize_t i) noexcept
    cpdef set_time(self, integer now_us)
    cpdef set_script(self, Py_ssize_t i, integer stream)
    @cython.locals(s=integer)
    cpdef offer(self, Py_ssize_t i, integer to, integer rate, integer us, integer most, integer deadline_us)
    cpdef set_target(self, Py_ssize_t i, integer to)
    cpdef set_muted(self, Py_ssize_t i, bint muted)
    cpdef set_channel(self, Py_ssize_t i, integer channel)
    cpdef set_receiver(self, Py_ssize_t i, integer state, bint long_range, double doze_first=*, double doze_period=*, integer doze_on=*, integer doze_linger=*)
    cpdef forget(self, Py_ssize_t i)
    cpdef message(self)
    @cython.locals(e=integer)
    cpdef double mw_of(self, Py_ssize_t i, integer j) noexcept
    cpdef bint is_as_it_was(self, Py_ssize_t i) noexcept
    cpdef integer answers_to(self, Py_ssize_t i) noexcept
    @cython.locals(e=integer)
    cpdef row(self, Py_ssize_t i)
    cpdef bint is_awake(self, Py_ssize_t i, integer at) noexcept
    cdef bint hears(self, Py_ssize_t j, Py_ssize_t i, integer at) noexcept
    cpdef allow_losses(self)
    cpdef set_loss(self, Py_ssize_t e, double probability, word luck)
    cpdef word luck_of(self, Py_ssize_t e)
    cpdef integer next_us(self) noexcept
    cpdef air(self, Py_ssize_t i)
    cpdef bint is_sending(self, Py_ssize_t i) noexcept
    cpdef listens(self, Py_ssize_t j)
    cpdef lost(self, Py_ssize_t j)
    @cython.locals(now=integer, e=integer, j=integer)
    cdef void tell(self, Py_ssize_t i) noexcept
    @cython.locals(z=word)
    cdef bint loses(self, Py_ssize_t e) noexcept
    cdef void stay_awake(self, Py_ssize_t i, integer at) noexcept
    cdef void expire(self, Py_ssize_t i) noexcept
    cpdef set_power(self, Py_ssize_t i, double power_mw)
    cpdef set_station(self, Py_ssize_t i, integer channel, double power_mw, integer most)
    @cython.locals(at=integer, value=double)
    cpdef set_rate(self, Py_ssize_t rate, integer ack_rate, integer ack_us, integer header_us, double bits_us, double sure, double least_mw, integer header_curve, curve, bint long_range=*)
    cpdef set_stream(self, Py_ssize_t s, integer station, integer kind, double period, double jitter, integer to, integer rate, integer us)
    cpdef totals(self, Py_ssize_t s)
    @cython.locals(got=integer, us=integer, until=integer)
    cpdef station_totals(self, Py_ssize_t i)
    @cython.locals(i=integer)
    cdef void add_up(self) noexcept
    @cython.locals(found=integer, e=integer, j=integer, loud=cython.bint)
    cpdef integer hearers(self, Py_ssize_t i, Py_ssize_t rate) noexcept
    cpdef count_latencies(self, integer groups)
    cpdef set_group(self, Py_ssize_t s, integer group)
    @cython.locals(step=integer)
    cpdef latency_counts(self, integer group)
    @cython.locals(i=integer)
    cdef void prepare(self) noexcept
    @cython.locals(found=integer)
    cdef integer step(self, double ratio) noexcept
    @cython.locals(n=integer)
    cpdef bint transmit(self, Py_ssize_t i, integer stream, integer made_us)
    @cython.locals(at=integer)
    cdef void append(self, Py_ssize_t i, integer stream, integer made_us) noexcept
    @cython.locals(at=integer, s=integer)
    cdef void turn_to_first(self, Py_ssize_t i) noexcept
    @cython.locals(since=integer)
    cdef void count_down(self, Py_ssize_t i, integer now) noexcept
    cdef void receive(self, Py_ssize_t j, integer i, double mw, integer at) noexcept
    @cython.locals(slow=integer, air_us=integer, header_us=integer)
    cdef void weigh(self, Py_ssize_t i, integer rate) noexcept
    cpdef start_stream(self, Py_ssize_t s, integer first_us)
    @cython.locals(heap=Heap, now=integer, kind=integer, i=integer)
    cpdef run(self, integer until_us)
    @cython.locals(now=integer, i=integer, kind=integer, base=integer, gap=double)
    cdef void arrive(self, Py_ssize_t s) noexcept
    cpdef set_radiation(self, Py_ssize_t s, integer station, double pause, integer us, integer rate, integer senses)
    cdef integer draw_pause(self, Py_ssize_t i, Py_ssize_t s) noexcept
    @cython.locals(now=integer)
    cdef void radiate(self, Py_ssize_t i, Py_ssize_t s) noexcept
    cdef void come(self, Py_ssize_t i, Py_ssize_t s) noexcept
    cpdef set_burst(self, Py_ssize_t s, integer count, integer spacing)
    cpdef set_event(self, Py_ssize_t s, integer random, word word)
    cpdef set_answer(self, Py_ssize_t s, Py_ssize_t by, integer think, double jitter)
    cpdef set_flood(self, Py_ssize_t s, integer hops, integer least, double jitter)
    cpdef set_trip_group(self, Py_ssize_t s, integer group)
    cpdef reactions(self, Py_ssize_t s)
    @cython.locals(streams=integer, s=integer)
    cdef void allow_reactions(self) noexcept
    @cython.locals(before=integer, station=cython.p_longlong, stream=cython.p_longlong, cause=cython.p_longlong, p=integer)
    cdef void set_room_for_reactions(self, integer room) noexcept
    @cython.locals(before=integer, made=cython.p_longlong, last=cython.p_longlong, copies=cython.p_longlong, heard=cython.p_int, f=integer, at=integer)
    cdef void set_room_for_floods(self, integer room) noexcept
    @cython.locals(f=integer, j=integer)
    cdef integer begin_flood(self, Py_ssize_t i, integer s) noexcept
    @cython.locals(f=integer)
    cdef void let_go(self, Py_ssize_t s, integer cause) noexcept
    @cython.locals(p=integer)
    cdef void react_later(self, Py_ssize_t j, integer s, integer cause, integer at) noexcept
    @cython.locals(j=integer, s=integer, cause=integer)
    cdef void do(self, Py_ssize_t p) noexcept
    @cython.locals(s=integer, cause=integer, f=integer, us=integer, asked=integer)
    cdef void react(self, Py_ssize_t j, Py_ssize_t i, integer at) noexcept
    @cython.locals(now=integer, e=integer, j=integer)
    cdef void spread(self, Py_ssize_t i) noexcept
    @cython.locals(step=integer)
    cdef void count_latency(self, integer group, integer us) noexcept
    @cython.locals(now=integer)
    cdef void begin(self, Py_ssize_t i) noexcept
    cdef void go_on(self, Py_ssize_t i) noexcept
    @cython.locals(passed=integer, left=integer)
    cdef void freeze(self, Py_ssize_t i, integer at) noexcept
    @cython.locals(now=integer, following=integer, e=integer, j=integer, first=cython.p_longlong, pair=pair_p, due=cython.p_longlong, group=cython.p_int, wants=cython.p_int)
    cdef void turns(self, Py_ssize_t i) noexcept
    @cython.locals(s=integer)
    cdef void send(self, Py_ssize_t i) noexcept
    @cython.locals(until=integer, e=integer, i=integer, begin=integer)
    cdef void look_closely(self, Py_ssize_t j) noexcept
    @cython.locals(now=integer, rate=integer, us=integer, least=double, sense=double, clear_mw=double, simple_mw=double, clean=integer, last_doubted=integer, first=cython.p_longlong, pair=pair_p, until=cython.p_longlong, heard_at=cython.p_int, e=integer, j=integer, at=integer, mw=double)
    cdef void start(self, Py_ssize_t i, integer kind) noexcept
    @cython.locals(before=double, locked=integer)
    cdef void reach(self, Py_ssize_t j, integer e, Py_ssize_t i, integer at, double mw, double least, double sense) noexcept
    @cython.locals(begin=integer, mw=double, other=double, ratio=double, i=integer, rate=integer, step=integer, body=integer, us=integer, header=integer, slow=integer)
    cdef void advance(self, Py_ssize_t j, integer at) noexcept
    @cython.locals(now=integer, kind=integer, rate=integer, target=integer, nav_us=integer, stream=integer, decoded=integer, repeated=integer)
    cdef void end(self, Py_ssize_t i) noexcept
    @cython.locals(now=integer, slow=integer, fast=integer, header_bits=double, body_bits=double, pair=pair_p, until=cython.p_longlong, heard_at=cython.p_int, curve=cython.p_double, draws=integer, limit=double, log=double, e=integer, j=integer, at=integer)
    cdef void leave_doubted(self, Py_ssize_t i, integer rate) noexcept
    @cython.locals(number=double)
    cdef double fate(self, Py_ssize_t i, word draws) noexcept
    @cython.locals(now=integer, first=cython.p_longlong, pair=pair_p, until=cython.p_longlong, heard_at=cython.p_int, e=integer, j=integer, at=integer)
    cdef void leave_unicast(self, Py_ssize_t i, integer kind, integer target, integer nav_us) noexcept
    @cython.locals(now=integer, rate=integer, least=double, sense=double, error_us=integer, clear_mw=double, following=integer, following_e=integer, pair=pair_p, e=integer, j=integer, at=integer, mw=double, log=double, left=integer, group=small, undisturbed=cython.bint)
    cdef void leave_closely(self, Py_ssize_t i, integer kind, integer target, integer nav_us) noexcept
    cdef void take(self, Py_ssize_t j, Py_ssize_t i, integer kind, integer target, integer at, integer nav_us) noexcept
    @cython.locals(i=integer, rate=integer)
    cdef void answer(self, Py_ssize_t k) noexcept
    @cython.locals(cw=integer)
    cdef void unanswered(self, Py_ssize_t i) noexcept
    @cython.locals(s=integer, at=integer, us=integer, step=integer)
    cdef void finish(self, Py_ssize_t i, bint answered) noexcept

# Each begins with a line of the cache.
cdef inline Record** stations(Kernel kernel, Py_ssize_t count) except NULL:
    cdef Py_ssize_t size = (sizeof(Record) + 63) // 64 * 64
    kernel.station_memory = memory_of(count * size + 64)
    kernel.record_places = memory_of(count * sizeof(record_p) + 8)
    cdef char* begin = line_of(kernel.station_memory)
    cdef Record** found = <Record**> place_of(kernel.record_places)
    cdef Py_ssize_t i
    for i in range(count):
        found[i] = <Record*> (begin + i * size)
    return found

cdef inline pair_p pairs(Kernel kernel, Py_ssize_t count) except NULL:
    kernel.pair_memory = memory_of(count * sizeof(PairRecord) + 64)
    return <pair_p> line_of(kernel.pair_memory)

cdef inline stream_p streams_of(Kernel kernel, Py_ssize_t count) except NULL:
    kernel.stream_memory = memory_of(count * sizeof(StreamRecord) + 64)
    return <stream_p> line_of(kernel.stream_memory)

cdef inline void move_records(Kernel kernel, Kernel old) noexcept:
    cdef Py_ssize_t i
    for i in range(old.count):
        kernel.station[i][0] = old.station[i][0]
    for i in range(old.edges):
        kernel.pair[i] = old.pair[i]
    for i in range(old.streams):
        kernel.stream[i] = old.stream[i]

# In a large field each station is a wait for the memory: those of whom books are kept are asked for before they are
# looked at, one after the other.
cdef inline void expect_station(Kernel kernel, Py_ssize_t j) noexcept:
    cdef char* place = <char*> kernel.station[j]
    espnow_prefetch(place)
    espnow_prefetch(place + 64)

cdef inline void expect_next(Kernel kernel, Heap heap) noexcept:
    cdef integer code, i
    cdef char* place
    if heap.size == 0:
        return
    code = heap.cells[1]
    i = (code >> 3) & 0x1FFFFF
    if code & 7 == ARRIVAL:
        place = <char*> &kernel.stream[i]
        espnow_prefetch(place)
        espnow_prefetch(place + 64)
        i = kernel.s_station[i]
    elif code & 7 == REACTION:
        return
    place = <char*> kernel.station[i]
    espnow_prefetch(place)
    espnow_prefetch(place + 64)
    espnow_prefetch(place + 128)
    espnow_prefetch(place + 192)
    espnow_prefetch(place + 256)
    espnow_prefetch(place + 320)

cdef inline void expect_row(Kernel kernel, Record* me, integer now) noexcept:
    cdef Py_ssize_t e
    cdef Py_ssize_t j
    for e in range(me.first, me.last):
        j = kernel.pair[e].other
        if kernel.until[j] > now:
            expect_station(kernel, j)

cdef inline void expect_closely(Kernel kernel, integer e) noexcept:
    while e >= 0:
        expect_station(kernel, kernel.pair[e].other)
        e = kernel.pair[e].next_closely
