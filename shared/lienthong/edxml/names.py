"""edXML's names as they are on the wire, misspellings included: the only module that spells them.

Source: QCVN 102:2016/BTTTT as the national axis's SDK writes it. ``Bussiness…`` is the official spelling; some
provincial systems write ``Business…``, which is read here as the official one (the national SDK ignores it).
"""

from __future__ import annotations

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
PREFIX = "edXML"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
UNREGISTERED_EXCLUSIVE_C14N = "http://www.w3.org/TR/xml-exc-c14n#"

# The frame
ROOT = "edXML"
ENVELOPE = "edXMLEnvelope"
HEADER = "edXMLHeader"
BODY = "edXMLBody"
MANIFEST = "edXMLManifest"
MESSAGE_HEADER = "MessageHeader"
STATUS = "Status"
TRACE_HEADER_LIST = "TraceHeaderList"
SIGNATURE = "Signature"
DIGITAL_SIGNATURE = "DigitalSignature"
ATTACHMENT_ENCODED = "AttachmentEncoded"

# Organizations
FROM = "From"
TO = "To"
ORGAN_ID = "OrganId"
ORGANIZATION_IN_CHARGE = "OrganizationInCharge"
ORGAN_NAME = "OrganName"
ORGAN_ADD = "OrganAdd"
EMAIL = "Email"
TELEPHONE = "Telephone"
FAX = "Fax"
WEBSITE = "Website"

# The header of a document
DOCUMENT_ID = "DocumentId"
CODE = "Code"
CODE_NUMBER = "CodeNumber"
CODE_NOTATION = "CodeNotation"
PROMULGATION_INFO = "PromulgationInfo"
PLACE = "Place"
PROMULGATION_DATE = "PromulgationDate"
DOCUMENT_TYPE = "DocumentType"
TYPE = "Type"
TYPE_DETAIL = "TypeDetail"
TYPE_NAME = "TypeName"
SUBJECT = "Subject"
CONTENT = "Content"
SIGNER_INFO = "SignerInfo"
COMPETENCE = "Competence"
POSITION = "Position"
FULL_NAME = "FullName"
DUE_DATE = "DueDate"
TO_PLACES = "ToPlaces"
OTHER_INFO = "OtherInfo"
PRIORITY = "Priority"
SPHERE_OF_PROMULGATION = "SphereOfPromulgation"
TYPER_NOTATION = "TyperNotation"
PROMULGATION_AMOUNT = "PromulgationAmount"
PAGE_AMOUNT = "PageAmount"
DIRECTION = "Direction"
APPENDIXES = "Appendixes"
APPENDIX = "Appendix"
REPLY_FORS = "ReplyFors"
REFERENCE_CODES = "ReferenceCodes"
RESPONSE_FOR = "ResponseFor"
STEERING_TYPE = "SteeringType"
RESPONSE_FOR_TASK = "ResponseForTask"
TASK_CODE = "TaskCode"
APPLICATION_TYPE = "ApplicationType"
FEEDBACK = "Feedback"
AGENCY = "Agency"
DEPARTMENT_ID = "DepartmentId"
DEPARTMENT_NAME = "DepartmentName"
EXECUTE_ROLE = "ExecuteRole"

# The header of a status
STAFF_INFO = "StaffInfo"
DEPARTMENT = "Department"
STAFF = "Staff"
STAFF_ID = "StaffId"
MOBILE = "Mobile"
STATUS_CODE = "StatusCode"
DESCRIPTION = "Description"
TIMESTAMP = "Timestamp"

# The trace
TRACE_HEADER = "TraceHeader"
BUSINESS = "Bussiness"
BUSINESS_DOC_TYPE = "BussinessDocType"
BUSINESS_DOC_REASON = "BussinessDocReason"
BUSINESS_DOCUMENT_INFO = "BussinessDocumentInfo"
DOCUMENT_INFO = "DocumentInfo"
DOCUMENT_RECEIVER = "DocumentReceiver"
RECEIVER_LIST = "ReceiverList"
RECEIVER = "Receiver"
RECEIVER_TYPE = "ReceiverType"
PAPER = "Paper"
REPLACEMENT_INFO_LIST = "ReplacementInfoList"
REPLACEMENT_INFO = "ReplacementInfo"
ORGAN_ID_LIST = "OrganIdList"

# Attachments
REFERENCE = "Reference"
ATTACHMENT = "Attachment"
CONTENT_ID = "ContentId"
CONTENT_TYPE = "ContentType"
ATTACHMENT_NAME = "AttachmentName"
CONTENT_TRANSFER_ENCODED = "ContentTransferEncoded"
FIELD_NAME = "FieldName"
MIME_TYPE = "MimeType"
FORMAT = "Format"
DIGEST = "Digest"
CID = "cid:"

OFFICIAL_SPELLING = {
    official.replace("Bussiness", "Business"): official
    for official in (BUSINESS, BUSINESS_DOC_TYPE, BUSINESS_DOC_REASON, BUSINESS_DOCUMENT_INFO)
}
"""Spellings of some provincial systems, and the official one they are read as."""

_ORGANIZATION = frozenset({ORGAN_ID, ORGANIZATION_IN_CHARGE, ORGAN_NAME, ORGAN_ADD, EMAIL, TELEPHONE, FAX, WEBSITE})
_RESPONSE_FOR = frozenset({ORGAN_ID, CODE, DOCUMENT_ID, PROMULGATION_DATE})
_STATUS = frozenset({FROM, RESPONSE_FOR, STAFF_INFO, STATUS_CODE, DESCRIPTION, TIMESTAMP})

CHILDREN: dict[str, frozenset[str]] = {
    ROOT: frozenset({ENVELOPE, ATTACHMENT_ENCODED}),
    ENVELOPE: frozenset({HEADER, BODY}),
    HEADER: frozenset({MESSAGE_HEADER, STATUS, TRACE_HEADER_LIST, SIGNATURE, DIGITAL_SIGNATURE}),
    BODY: frozenset({MANIFEST}),
    MANIFEST: frozenset({REFERENCE}),
    STATUS: _STATUS,
    MESSAGE_HEADER: _STATUS
    | {TO, DOCUMENT_ID, CODE, PROMULGATION_INFO, DOCUMENT_TYPE, SUBJECT, CONTENT, SIGNER_INFO, DUE_DATE, TO_PLACES}
    | {OTHER_INFO, STEERING_TYPE, RESPONSE_FOR_TASK, APPLICATION_TYPE, FEEDBACK, AGENCY},
    FROM: _ORGANIZATION,
    TO: _ORGANIZATION,
    CODE: frozenset({CODE_NUMBER, CODE_NOTATION}),
    PROMULGATION_INFO: frozenset({PLACE, PROMULGATION_DATE}),
    DOCUMENT_TYPE: frozenset({TYPE, TYPE_DETAIL, TYPE_NAME}),
    SIGNER_INFO: frozenset({COMPETENCE, POSITION, FULL_NAME}),
    TO_PLACES: frozenset({PLACE}),
    OTHER_INFO: frozenset({PRIORITY, SPHERE_OF_PROMULGATION, TYPER_NOTATION, PROMULGATION_AMOUNT, PAGE_AMOUNT})
    | {DIRECTION, APPENDIXES, REPLY_FORS, REFERENCE_CODES},
    APPENDIXES: frozenset({APPENDIX}),
    RESPONSE_FOR: _RESPONSE_FOR,
    FEEDBACK: _RESPONSE_FOR,
    RESPONSE_FOR_TASK: frozenset({TASK_CODE}),
    AGENCY: frozenset({ORGAN_ID, ORGAN_NAME, DEPARTMENT_ID, DEPARTMENT_NAME, EXECUTE_ROLE}),
    STAFF_INFO: frozenset({DEPARTMENT, DEPARTMENT_ID, STAFF, STAFF_ID, MOBILE, EMAIL}),
    TRACE_HEADER_LIST: frozenset({TRACE_HEADER, BUSINESS}),
    TRACE_HEADER: frozenset({ORGAN_ID, TIMESTAMP}),
    BUSINESS: frozenset({BUSINESS_DOC_TYPE, BUSINESS_DOC_REASON, BUSINESS_DOCUMENT_INFO, DOCUMENT_ID, STAFF_INFO})
    | {PAPER, REPLACEMENT_INFO_LIST},
    BUSINESS_DOCUMENT_INFO: frozenset({DOCUMENT_INFO, DOCUMENT_RECEIVER, RECEIVER_LIST}),
    RECEIVER_LIST: frozenset({RECEIVER}),
    RECEIVER: frozenset({ORGAN_ID, RECEIVER_TYPE}),
    REPLACEMENT_INFO_LIST: frozenset({REPLACEMENT_INFO}),
    REPLACEMENT_INFO: frozenset({DOCUMENT_ID, ORGAN_ID_LIST}),
    ORGAN_ID_LIST: frozenset({ORGAN_ID}),
    REFERENCE: frozenset({CONTENT_ID, CONTENT_TYPE, ATTACHMENT_NAME, DESCRIPTION, DIGEST}),
    ATTACHMENT_ENCODED: frozenset({ATTACHMENT}),
    ATTACHMENT: frozenset({CONTENT_ID, CONTENT_TYPE, ATTACHMENT_NAME, DESCRIPTION, CONTENT_TRANSFER_ENCODED})
    | {FIELD_NAME, MIME_TYPE, FORMAT},
}
"""Which elements the format knows inside which; others are ignored, with a warning."""
