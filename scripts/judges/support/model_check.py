"""Checks a raw answer against botocore's service model: members, nulls, types, enums, ranges, lengths, timestamps."""

import datetime
import json
import re
import xml.etree.ElementTree

ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


class Checker:
    """Collects what is wrong with one answer."""

    def __init__(self, service: str):
        self.service = service
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def fault(self, path: str, text: str) -> None:
        self.faults.append(f"{path or '/'}: {text}")

    def value(self, shape, value, path: str) -> None:
        if value is None:
            self.fault(path, "null")
            return
        kind = shape.type_name
        check = getattr(self, f"check_{kind}", None)
        if check is None:
            self.fault(path, f"no check for {kind}")
        else:
            check(shape, value, path)

    def check_structure(self, shape, value, path):
        if not isinstance(value, dict):
            return self.fault(path, "no object")
        members = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
        for name, inner in value.items():
            if name not in members:
                self.fault(path, f"unknown member {name}")
            else:
                self.value(members[name][1], inner, f"{path}/{name}")
        for name in shape.required_members:
            wire = shape.members[name].serialization.get("name", name)
            if wire not in value and "location" not in shape.members[name].serialization:
                self.fault(path, f"required member {name} is missing")

    def check_list(self, shape, value, path):
        if not isinstance(value, list):
            return self.fault(path, "no list")
        self.length(shape, len(value), path)
        for n, inner in enumerate(value):
            self.value(shape.member, inner, f"{path}/{n}")

    def check_map(self, shape, value, path):
        if not isinstance(value, dict):
            return self.fault(path, "no map")
        self.length(shape, len(value), path)
        for name, inner in value.items():
            self.value(shape.key, name, f"{path}/{name} (key)")
            self.value(shape.value, inner, f"{path}/{name}")

    def check_string(self, shape, value, path):
        if not isinstance(value, str):
            return self.fault(path, f"no text: {value!r}")
        self.length(shape, len(value), path)
        if shape.enum and value not in shape.enum:
            self.fault(path, f"{value!r} is none of the enum {shape.name}")
        pattern = shape.metadata.get("pattern")
        if pattern:
            try:
                if not re.search(pattern, value):
                    self.warnings.append(f"{path}: {value!r} does not match {pattern}")
            except re.error:
                pass

    def check_integer(self, shape, value, path):
        if isinstance(value, bool) or not isinstance(value, int):
            return self.fault(path, f"no integer: {value!r}")
        self.range(shape, value, path)

    check_long = check_integer

    def check_double(self, shape, value, path):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.fault(path, f"no number: {value!r}")
        self.range(shape, value, path)

    check_float = check_double

    def check_boolean(self, shape, value, path):
        if not isinstance(value, bool):
            self.fault(path, f"no boolean: {value!r}")

    def check_timestamp(self, shape, value, path):
        wanted = shape.serialization.get("timestampFormat", "unixTimestamp")
        if wanted == "unixTimestamp":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                self.fault(path, f"no seconds since 1970: {value!r}")
            elif not 1_000_000_000 < value < 4_000_000_000:
                self.fault(path, f"{value} is no plausible number of seconds")
        elif wanted == "iso8601":
            if not isinstance(value, str) or not ISO.match(value):
                self.fault(path, f"no ISO 8601 time: {value!r}")
            else:
                datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))

    def length(self, shape, length, path):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if shape.name == "StringWithCharLimit64" and path.endswith("/ConfigRuleName"):
            # The model contradicts itself: the same name may have 128 characters in DescribeConfigRules, and those that conformance
            # packs give do.
            high = 128
        if low is not None and length < low or high is not None and length > high:
            self.fault(path, f"length {length} is not within {low}..{high}")

    def range(self, shape, value, path):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and value < low or high is not None and value > high:
            self.fault(path, f"{value} is not within {low}..{high}")

    def xml(self, shape, element, path: str) -> None:
        """Checks a query-protocol element (structures and scalars: STS has no more)."""
        if shape.type_name != "structure":
            if len(element):
                self.fault(path, "an element where text is due")
            if shape.type_name == "timestamp" and not ISO.match(element.text or ""):
                self.fault(path, f"no ISO 8601 time: {element.text!r}")
            elif shape.type_name == "string":
                self.check_string(shape, element.text or "", path)
            return
        seen = set()
        for child in element:
            name = child.tag.split("}")[-1]
            seen.add(name)
            if name not in shape.members:
                self.fault(path, f"unknown member {name}")
            else:
                self.xml(shape.members[name], child, f"{path}/{name}")
        for name in set(shape.required_members) - seen:
            self.fault(path, f"required member {name} is missing")


def check_answer(operation, response: dict) -> Checker:
    """Checks one HTTP answer, good or bad; `response` is what botocore gives to before-parse handlers."""
    service = operation.service_model.service_name
    checker = Checker(service)
    headers = {name.lower(): value for name, value in response["headers"].items()}
    if not headers.get("x-amzn-requestid"):
        checker.fault("", "no x-amzn-requestid")
    query = operation.service_model.metadata["protocol"] == "query"
    if response["status_code"] >= 300:
        error(checker, operation, response, headers, query)
    elif query:
        root = xml.etree.ElementTree.fromstring(response["body"])
        tag = f"{operation.name}Result"
        inner = next((child for child in root if child.tag.endswith(tag)), None)
        if inner is None:
            checker.fault("", f"no {tag}")
        else:
            checker.xml(operation.output_shape, inner, "")
    elif operation.output_shape is not None:
        checker.value(operation.output_shape, json.loads(response["body"]), "")
    return checker


#: Codes that every service may answer, beside those of its model (AWS: "Common Errors").
COMMON = {
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignatureException", "InternalFailure", "InvalidSignatureException",
    "MissingAuthenticationTokenException", "ServiceUnavailable", "ThrottlingException", "UnrecognizedClientException",
    "ValidationException", "AccessDenied", "ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "Throttling",
    "ValidationError",
}


def error(checker: Checker, operation, response, headers, query: bool) -> None:
    if query:
        root = xml.etree.ElementTree.fromstring(response["body"])
        code = next((e.text for e in root.iter() if e.tag.endswith("Code")), "")
    else:
        body = json.loads(response["body"])
        code = headers.get("x-amzn-errortype") or ""
        if operation.service_model.metadata["protocol"] == "json" and body.get("__type") != code:
            checker.fault("", "__type and x-amzn-errortype differ")
    modelled = {shape.name: shape for shape in operation.error_shapes}
    if code not in modelled and code not in COMMON:
        checker.fault("", f"error {code!r} is not in the model of {operation.name}")
    status = (modelled[code].metadata.get("error") or {}).get("httpStatusCode") if code in modelled else None
    if status is not None and status != response["status_code"]:
        checker.fault("", f"{code} should be answered with {status}, not {response['status_code']}")
