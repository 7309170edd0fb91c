-- espnow.lua of the Python package espnow: ESP-NOW for Wireshark. Replaced by the next installation.
--
-- Rules:
--
-- - Shows what a frame says, and what is odd about it; refuses nothing. What current firmware would
--   drop is an error and makes espnow.valid false.
-- - No Lua error, whatever the bytes: nothing is read before its length is known.
-- - Lua 5.1 to 5.4, Wireshark's own `bit` library for bits, so Wireshark 3.6 and later.
--
-- Follows the ESP-IDF esp_now docs, "Frame Format". Wireshark hands over what follows the category
-- and the OUI:
--
--   random value, 4 bytes | element ...
--   element: id dd | length = 5 + n | OUI 18 fe 34 | type 04 | version | message, n = 0..250 bytes
--
-- SPDX-License-Identifier: MIT

local OUI = 0x18fe34
local ELEMENT_ID = 0xdd
local TYPE = 4
local RANDOM_BYTES = 4
local ELEMENT_HEADER = 7 -- from the id to the version byte
local ELEMENT_OVERHEAD = 5 -- what the length counts besides the message
local MAX_ELEMENT = 250 -- ESP-IDF esp_now docs
local MAX_V2 = 1470 -- ESP_NOW_MAX_DATA_LEN_V2, ESP-IDF esp_now docs
local CATEGORY_ERROR = 0xff -- the category with its highest bit set: IEEE 802.11-2020, 9.4.1.11
local FCS_BYTES = 4
local MIC_BYTES = 8
local KEY_ID = 3 -- captured frames; 802.11w uses 0 between two stations
local ACTION, ACTION_NO_ACK = 13, 14
local SHOWN_TEXT = 32
local SHOWN_BYTES = 16
-- More than an MPDU can hold (2304 bytes); keeps the tree small for a file that somebody made up.
local MAX_SHOWN = 400

-- A second protocol of one name is a Lua error: a copy in another directory, or some day Wireshark's own.
local registered, espnow = pcall(Proto, "espnow", "ESP-NOW")
if not registered then
    print("espnow.lua: not loaded, there is already a protocol espnow")
    return
end
local encrypted = Proto("espnow_encrypted", "ESP-NOW, encrypted")

local f = {
    random = ProtoField.uint32(
        "espnow.random", "Random value", base.HEX, nil, nil, "Not that of the frame before; the same in a retry"
    ),
    version = ProtoField.uint8(
        "espnow.version", "Version", base.DEC, nil, nil, "1, or 2 for what only version 2 can say"
    ),
    length = ProtoField.uint32("espnow.length", "Message length", base.DEC, nil, nil, "Bytes of the whole message"),
    message = ProtoField.bytes("espnow.message", "Message", base.NONE, "The messages of the elements, joined"),
    text = ProtoField.string("espnow.message.text", "Message as text", base.UNICODE, "The message, if it is printable"),
    valid = ProtoField.bool(
        "espnow.valid", "Valid", base.NONE, nil, nil, "Current firmware takes the body, to its last byte"
    ),
    element = ProtoField.none("espnow.element", "Element", "Vendor specific element"),
    element_id = ProtoField.uint8("espnow.element.id", "Element id", base.DEC),
    element_length = ProtoField.uint8(
        "espnow.element.length", "Length", base.DEC, nil, nil, "5, and the bytes of the message"
    ),
    element_oui = ProtoField.uint24("espnow.element.oui", "OUI", base.HEX),
    element_type = ProtoField.uint8("espnow.element.type", "Type", base.DEC, { [TYPE] = "ESP-NOW" }),
    element_version_byte = ProtoField.uint8("espnow.element.version_byte", "Version byte", base.HEX),
    element_version = ProtoField.uint8("espnow.element.version", "Version", base.DEC, nil, 0x0f),
    element_more = ProtoField.bool("espnow.element.more", "More elements follow", 8, nil, 0x10),
    element_message = ProtoField.bytes(
        "espnow.element.message", "Message", base.NONE, "This element's part of the message"
    ),
    protected = ProtoField.bool(
        "espnow.protected", "Encrypted", base.NONE, nil, nil, "An encrypted action frame with key id 3"
    ),
    packet_number = ProtoField.uint64(
        "espnow.packet_number", "Packet number", base.DEC, nil, nil, "CCMP's, counts up from 1"
    ),
}

local MALFORMED, PROTOCOL = expert.group.MALFORMED, expert.group.PROTOCOL
local UNDECODED, RESPONSE = expert.group.UNDECODED, expert.group.RESPONSE_CODE
local ERROR, WARN, NOTE = expert.severity.ERROR, expert.severity.WARN, expert.severity.NOTE

local e = {
    short = ProtoExpert.new("espnow.short", "Too short for an element", MALFORMED, ERROR),
    foreign = ProtoExpert.new("espnow.foreign", "An element that is not ESP-NOW's, skipped", PROTOCOL, ERROR),
    bad_length = ProtoExpert.new("espnow.bad_length", "Wrong length of an element", MALFORMED, ERROR),
    stray = ProtoExpert.new("espnow.stray", "Stray bytes after the last element", MALFORMED, ERROR),
    too_long = ProtoExpert.new("espnow.too_long", "Message longer than 1470 bytes", PROTOCOL, ERROR),
    fcs = ProtoExpert.new(
        "espnow.fcs", "The frame's FCS, which the capture does not declare or the sender sent twice", PROTOCOL, WARN
    ),
    too_many = ProtoExpert.new("espnow.too_many", "More elements than are shown", UNDECODED, WARN),
    wrong_more = ProtoExpert.new("espnow.wrong_more", "Wrong more bit", PROTOCOL, WARN),
    unknown_version = ProtoExpert.new("espnow.unknown_version", "Unknown version", PROTOCOL, WARN),
    cut = ProtoExpert.new("espnow.cut", "The capture holds only a part of the frame", UNDECODED, WARN),
    returned = ProtoExpert.new("espnow.returned", "Sent back as not understood, category 0xff", RESPONSE, NOTE),
    empty = ProtoExpert.new("espnow.empty", "Empty message", PROTOCOL, NOTE),
}

local function values(named)
    local list = {}
    for _, value in pairs(named) do
        list[#list + 1] = value
    end
    return list
end

espnow.fields = values(f)
espnow.experts = values(e)

local frame_field = Field.new("frame")
local wlan_field = Field.new("wlan")
local kind_field = Field.new("wlan.fc.type_subtype")
local retry_field = Field.new("wlan.fc.retry")
local protected_field = Field.new("wlan.fc.protected")
local category_field = Field.new("wlan.fixed.category_code")
local packet_number_field = Field.new("wlan.ccmp.extiv")
local key_id_field = Field.new("wlan.wep.key")
local ciphertext_field = Field.new("data.data")

local function format(...)
    return (string.format(...))
end

local function count(number, thing)
    return format("%d %s%s", number, thing, number == 1 and "" or "s")
end

-- Tell whether a field is there and set, as a boolean or, in some releases, a number.
local function is_set(field)
    local info = field()
    return info ~= nil and (info.value == true or info.value == 1)
end

-- Characters of two to four bytes in UTF-8 (RFC 3629, section 4), without the C1 controls.
local WIDE = {
    "\194[\160-\191]",
    "[\195-\223][\128-\191]",
    "\224[\160-\191][\128-\191]",
    "\237[\128-\159][\128-\191]",
    "[\225-\236\238\239][\128-\191][\128-\191]",
    "\240[\144-\191][\128-\191][\128-\191]",
    "\244[\128-\143][\128-\191][\128-\191]",
    "[\241-\243][\128-\191][\128-\191][\128-\191]",
}

-- Return the text that a message is, without the zeros that end it, or nil if it is none.
local function text_of(raw)
    local last = #raw
    while last > 0 and raw:byte(last) == 0 do
        last = last - 1
    end
    local text = raw:sub(1, last)
    local rest = text:gsub("[\t\n\r\032-\126]", "")
    if rest ~= "" then
        -- Characters are replaced and not removed, so that bytes around them do not meet.
        rest = text
        for _, pattern in ipairs(WIDE) do
            rest = rest:gsub(pattern, "?")
        end
        rest = rest:gsub("[\t\n\r\032-\126]", "")
    end
    if text == "" or rest ~= "" then
        return nil
    end
    return text
end

-- Return the begin of a message for the Info column.
local function preview(raw, text)
    if text then
        local shown = text
        if #text > SHOWN_TEXT then
            -- A character that was cut goes, with its whole sequence.
            shown = text:sub(1, SHOWN_TEXT):gsub("[\192-\255][\128-\191]*$", "") .. "..."
        end
        return (shown:gsub("[\t\n\r]", " "))
    end
    local hex = raw:sub(1, SHOWN_BYTES):gsub(".", function(byte)
        return format("%02x", byte:byte())
    end)
    return hex .. (#raw > SHOWN_BYTES and "..." or "")
end

local crc_table

-- CRC-32 as IEEE 802.11-2020, 9.2.4.8 has it, as a number of 0 to 2^32 - 1.
local function crc32(raw)
    if not crc_table then
        crc_table = {}
        for byte = 0, 255 do
            local crc = byte
            for _ = 1, 8 do
                local low = bit.band(crc, 1)
                crc = bit.rshift(crc, 1)
                if low == 1 then
                    crc = bit.bxor(crc, 0xedb88320)
                end
            end
            crc_table[byte] = crc
        end
    end
    local crc = 0xffffffff
    for at = 1, #raw do
        crc = bit.bxor(bit.rshift(crc, 8), crc_table[bit.band(bit.bxor(crc, raw:byte(at)), 0xff)])
    end
    -- The library's numbers are signed.
    return bit.bnot(crc) % 4294967296
end

-- Tell whether the last 4 bytes of the MPDU that ends with this buffer are its right FCS.
local function ends_with_fcs(tvb)
    local frame, wlan = frame_field(), wlan_field()
    if not (frame and wlan) then
        return false
    end
    local whole = frame.range
    local start, stop = wlan.offset, tvb:offset() + tvb:len()
    if start < 0 or stop > whole:len() or stop - start <= FCS_BYTES then
        return false
    end
    local raw = whole:bytes():raw(start, stop - start - FCS_BYTES)
    return crc32(raw) == tvb(tvb:len() - FCS_BYTES, FCS_BYTES):le_uint()
end

-- Show one element that begins at `at` and has all 7 bytes of its header; return its tree.
local function add_element(tree, tvb, at, size, number)
    local branch = tree:add(f.element, tvb(at, size))
    branch:set_text(format("Element %d", number))
    branch:add(f.element_id, tvb(at, 1))
    branch:add(f.element_length, tvb(at + 1, 1))
    branch:add(f.element_oui, tvb(at + 2, 3))
    branch:add(f.element_type, tvb(at + 5, 1))
    return branch
end

-- Show the rest of an element of ESP-NOW's.
local function add_content(branch, tvb, at, size)
    local version_byte = tvb(at + 6, 1):uint()
    local version = version_byte % 16
    local more = math.floor(version_byte / 16) % 2 == 1
    local leaf = branch:add(f.element_version_byte, tvb(at + 6, 1))
    leaf:add(f.element_version, tvb(at + 6, 1))
    leaf:add(f.element_more, tvb(at + 6, 1))
    if version ~= 1 and version ~= 2 then
        leaf:add_proto_expert_info(e.unknown_version, format("Unknown version %d", version))
    end
    if size > ELEMENT_HEADER then
        branch:add(f.element_message, tvb(at + ELEMENT_HEADER, size - ELEMENT_HEADER))
    end
    local length = count(size - ELEMENT_HEADER, "byte")
    branch:append_text(format(": version %d%s, %s", version, more and ", more" or "", length))
    return version, more
end

-- Show every element. Return those of ESP-NOW's; whether current firmware takes the whole, nil if that
-- cannot be told; and whether the last of them is the last that was sent.
local function add_elements(root, tvb)
    local captured, stop = tvb:len(), tvb:reported_len()
    local found, number, at = {}, 0, RANDOM_BYTES
    local valid, sure, ended = true, true, true
    if stop == RANDOM_BYTES then
        valid = false
        root:add_proto_expert_info(e.short)
    end
    while at < stop do
        local left = stop - at
        if left < ELEMENT_HEADER and captured == stop then
            local range = tvb(at, left)
            if number > 0 and left == FCS_BYTES and ends_with_fcs(tvb) then
                root:add_tvb_expert_info(e.fcs, range)
                sure = false
                break
            end
            valid = false
            if number == 0 then
                root:add_tvb_expert_info(e.short, range)
            else
                root:add_tvb_expert_info(e.stray, range, count(left, "stray byte") .. " after the last element")
            end
            break
        end
        if captured - at < ELEMENT_HEADER then
            break
        end
        number = number + 1
        if number > MAX_SHOWN then
            root:add_proto_expert_info(e.too_many)
            sure, ended = false, false
            break
        end
        local length = tvb(at + 1, 1):uint()
        local size = 2 + length
        local ours = tvb(at, 1):uint() == ELEMENT_ID
            and tvb(at + 2, 3):uint() == OUI
            and tvb(at + 5, 1):uint() == TYPE
        local fits = size <= left and (length >= ELEMENT_OVERHEAD or not ours)
        local held = math.min(fits and size or left, captured - at)
        local branch = add_element(root, tvb, at, held, number)
        if not ours then
            valid = false
            branch:append_text(": not ESP-NOW")
            branch:add_proto_expert_info(e.foreign)
        end
        if not fits then
            valid, ended = false, false
            if size > left then
                local rest = count(left - 2, "byte")
                branch:add_proto_expert_info(
                    e.bad_length, format("Length %d runs over the end of the frame, which has %s left", length, rest)
                )
            else
                branch:add_proto_expert_info(e.bad_length, format("Length %d is below %d", length, ELEMENT_OVERHEAD))
            end
        end
        if ours and (fits or size > left) then
            local version, more = add_content(branch, tvb, at, held)
            if fits and held == size then
                found[#found + 1] = {
                    at = at + ELEMENT_HEADER,
                    size = size - ELEMENT_HEADER,
                    version = version,
                    more = more,
                    branch = branch,
                }
            end
        end
        if not fits or held < size then
            break
        end
        at = at + size
    end
    if stop > captured then
        root:add_proto_expert_info(e.cut)
        sure, ended = false, false
    end
    -- What was not seen can only make it worse.
    if valid and not sure then
        valid = nil
    end
    return found, valid, ended
end

-- Return the message as a range, or nil when it has no bytes: of the frame, or of a buffer of its own.
local function join(tvb, found)
    local parts = {}
    for _, element in ipairs(found) do
        if element.size > 0 then
            parts[#parts + 1] = element
        end
    end
    if #parts == 0 then
        return nil
    elseif #parts == 1 then
        return tvb(parts[1].at, parts[1].size)
    end
    local joined = ByteArray.new()
    for _, part in ipairs(parts) do
        joined:append(tvb(part.at, part.size):bytes())
    end
    return joined:tvb("ESP-NOW message"):range()
end

-- Dissects what follows the OUI of a plain frame, at the call of Wireshark's 802.11 dissector.
function espnow.dissector(tvb, pinfo, tree)
    local captured = tvb:len()
    if captured == 0 then
        return 0
    end
    pinfo.cols.protocol = "ESP-NOW"
    local root = tree:add(espnow, tvb())
    local category = category_field()
    local returned = category ~= nil and category.value == CATEGORY_ERROR
    if returned then
        root:add_proto_expert_info(e.returned)
    end
    local found, valid, ended = {}, nil, false
    if captured >= RANDOM_BYTES then
        root:add_le(f.random, tvb(0, RANDOM_BYTES))
        found, valid, ended = add_elements(root, tvb)
    elseif tvb:reported_len() > captured then
        root:add_proto_expert_info(e.cut)
    else
        valid = false
        root:add_proto_expert_info(e.short)
    end
    if returned then
        valid = false
    end
    local retried = is_set(retry_field) and ", retry" or ""
    if #found == 0 then
        if valid ~= nil then
            root:add(f.valid, valid):set_generated()
        end
        root:append_text(": no message")
        pinfo.cols.info = "ESP-NOW" .. retried .. ", no message" .. (returned and ", returned" or "")
        return captured
    end
    for number, element in ipairs(found) do
        local last = number == #found
        if element.more and last and ended then
            element.branch:add_proto_expert_info(e.wrong_more, "The more bit is set on the last element")
        elseif not element.more and not last then
            element.branch:add_proto_expert_info(e.wrong_more, "The more bit is not set, though an element follows")
        end
    end
    local version = (#found > 1 or found[1].version > 1) and 2 or 1
    local range = join(tvb, found)
    local length = range and range:len() or 0
    root:add(f.version, version):set_generated()
    local leaf = root:add(f.length, length)
    leaf:set_generated()
    local shown = ""
    if range then
        local raw = range:bytes():raw()
        local text = text_of(raw)
        root:add(f.message, range)
        if text then
            root:add(f.text, range, text):set_generated()
        end
        shown = ": " .. preview(raw, text)
    elseif ended then
        leaf:add_proto_expert_info(e.empty)
    end
    if length > MAX_V2 then
        valid = false
        leaf:add_proto_expert_info(e.too_long, format("A message of %d bytes, more than %d", length, MAX_V2))
    end
    if valid ~= nil then
        root:add(f.valid, valid):set_generated()
    end
    local title = format(" v%d%s%s, %s", version, retried, returned and ", returned" or "", count(length, "byte"))
    root:append_text(title)
    pinfo.cols.info = "ESP-NOW" .. title .. shown
    return captured
end

DissectorTable.get("wlan.action.vendor_specific"):add(OUI, espnow)

-- Return the bytes of the message inside so many bytes of ciphertext and MIC, if its sender cuts it
-- into elements as ESP-IDF does; nil if no message would be as long.
local function message_length(held)
    local elements = held - MIC_BYTES - 4 - RANDOM_BYTES -- 4: category and OUI
    local number = math.ceil(elements / (ELEMENT_HEADER + MAX_ELEMENT))
    local length = elements - number * ELEMENT_HEADER
    if length < 1 or length > MAX_V2 then
        return nil
    end
    return length
end

-- Called for every frame, after all other dissectors: Wireshark hands an encrypted frame to nobody.
function encrypted.dissector(tvb, pinfo, tree)
    if not is_set(protected_field) then
        return
    end
    local kind, key_id = kind_field(), key_id_field()
    if not (kind and (kind.value == ACTION or kind.value == ACTION_NO_ACK) and key_id and key_id.value == KEY_ID) then
        return
    end
    local number, ciphertext = packet_number_field(), ciphertext_field()
    -- A capture that was cut still tells how long the frame was.
    local missing = tvb:reported_len() - tvb:len()
    local length = ciphertext and message_length(ciphertext.range:len() + missing)
    if not (number and length) then
        return
    end
    pinfo.cols.protocol = "ESP-NOW"
    local root = tree:add(espnow, ciphertext.range, "ESP-NOW, encrypted (probably)")
    root:add(f.protected, ciphertext.range, true):set_generated()
    local title = ", encrypted"
    local hex = tostring(number.value):match("^0x(%x+)$")
    if hex then
        local value = UInt64.fromhex(hex)
        root:add(f.packet_number, number.range, value):set_generated()
        title = title .. ", packet number " .. tostring(value)
    end
    root:add(f.length, length):set_generated()
    if is_set(retry_field) then
        title = title .. ", retry"
    end
    pinfo.cols.info = "ESP-NOW" .. title .. ", " .. count(length, "byte")
end

register_postdissector(encrypted)
