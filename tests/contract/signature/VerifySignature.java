import java.io.File;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Prints "valid" or "invalid" for each file, by the JDK's own XML-DSig. */
public class VerifySignature {
    public static void main(String[] files) throws Exception {
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        for (String file : files) {
            Document document = builders.newDocumentBuilder().parse(new File(file));
            mark(document.getDocumentElement());
            Element signature =
                (Element) document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0);
            String encoded = document.getElementsByTagNameNS(XMLSignature.XMLNS, "X509Certificate")
                .item(0).getTextContent();
            byte[] der = Base64.getMimeDecoder().decode(encoded);
            var key = CertificateFactory.getInstance("X.509")
                .generateCertificate(new java.io.ByteArrayInputStream(der)).getPublicKey();
            DOMValidateContext context = new DOMValidateContext(key, signature);
            context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.FALSE);
            XMLSignature read = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
            System.out.println(read.validate(context) ? "valid" : "invalid");
        }
    }

    private static void mark(Element element) {
        if (element.hasAttribute("Id")) {
            element.setIdAttribute("Id", true);
        }
        NodeList children = element.getChildNodes();
        for (int at = 0; at < children.getLength(); at++) {
            if (children.item(at) instanceof Element child) {
                mark(child);
            }
        }
    }
}
